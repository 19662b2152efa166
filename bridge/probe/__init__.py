"""Tries the servers of an inbox, step by step, and says what failed."""
