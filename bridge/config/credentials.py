"""Credentials for the servers of inboxes, taken from their settings."""

from __future__ import annotations

from bridge.config.server import Server, Smtp
from bridge.model import Permanent
from bridge.model.login import Login, Password


class ConfiguredCredentials:
    """Implements ports.Credentials with the passwords in the settings."""

    async def of(self, server: Server) -> Login | None:
        if isinstance(server, Smtp) and server.auth == "none":
            return None
        if server.oauth:
            raise Permanent(
                f"{server.user} logs in through oauth {server.oauth}; !inbox test INBOX in the"
                " control room tries it"
            )
        return Password(server.user, server.password.get_secret_value())

    async def refused(self, server: Server) -> None:
        """Nothing is to be done: the settings do not change by themselves."""
