"""From a mail that was accepted to its place in a conversation."""
