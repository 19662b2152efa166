"""Settings from config.yaml and the control room, validated and frozen; and secrets."""
