"""Everything the bridge decides and stores, using the outside world only through `ports`."""
