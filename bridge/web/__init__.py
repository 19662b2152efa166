"""Pages and probes for people and load balancers."""
