"""The connection to the homeserver: client API, appservice listener and reconciler."""
