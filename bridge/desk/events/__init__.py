"""Receives Matrix events and runs the handlers of commands and reactions."""
