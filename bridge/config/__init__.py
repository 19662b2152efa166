"""Settings: what config.yaml and the control room say, checked, as frozen values; and secrets."""
