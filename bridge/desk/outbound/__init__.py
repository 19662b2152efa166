"""From what an agent says to a mail that left, and what became of it."""
