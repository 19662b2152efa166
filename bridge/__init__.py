"""Postroom: shared mailboxes as Matrix rooms, one room for each email conversation."""

__version__ = "0.1.0"
