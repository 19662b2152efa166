"""Handles outgoing mail: from an agent's command to the sent mail and its outcome."""
