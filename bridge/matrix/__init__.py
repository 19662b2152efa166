"""Everything that talks to the homeserver."""
