"""What becomes of a conversation: whose it is, its state, labels, contact, where it belongs."""
