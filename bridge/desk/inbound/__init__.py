"""Handles incoming mail: accepts it, reads it, and files it into a conversation."""
