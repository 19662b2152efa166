"""The acts of the desk: decisions and transactions, through the ports only."""
