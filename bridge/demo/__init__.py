"""The temporary servers and the scripted story of `make demo`."""
