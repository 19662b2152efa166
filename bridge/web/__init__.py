"""HTTP: pages for browsers, health and metrics, and outgoing webhooks."""
