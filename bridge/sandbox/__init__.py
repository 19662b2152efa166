"""The process that reads mail, what it gives up before it does, and how it is asked."""
