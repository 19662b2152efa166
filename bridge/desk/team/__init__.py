"""The agents of each inbox, and the rooms of the bridge."""
