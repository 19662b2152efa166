"""Authorization servers: the client side of OAuth2."""
