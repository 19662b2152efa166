"""Matrix events in, and the acts they lead to."""
