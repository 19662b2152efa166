"""The sandboxed process that parses mail, its restrictions, and the client that uses it."""
