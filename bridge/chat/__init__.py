"""Pure Matrix face: commands in, texts and event contents out."""
