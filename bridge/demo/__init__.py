"""The throw-away world of `make demo`."""
