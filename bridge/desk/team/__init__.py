"""Who works here, and the rooms they work in."""
