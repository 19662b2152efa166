"""Pure translation to and from Matrix: commands in, texts and event contents out."""
