"""Sources of incoming mail."""
