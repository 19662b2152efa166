"""Credentials for logging in to a mail server."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Password:
    """A user and a password, or an app password."""

    user: str
    secret: str = field(repr=False)

    @property
    def wire_forms(self) -> tuple[str, ...]:
        """All forms of the secret on the wire: plain text, and as AUTH encodes it (RFC 4616)."""
        plain = (f"\0{self.user}\0{self.secret}", f"{self.user}\0{self.user}\0{self.secret}")
        in_quotes = self.secret.replace("\\", "\\\\").replace('"', '\\"')  # RFC 3501 §4.3
        return in_quotes, self.secret, *map(_coded, (self.secret, *plain))


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A user and an OAuth2 access token (RFC 6749), for XOAUTH2."""

    user: str
    secret: str = field(repr=False)

    @property
    def wire_forms(self) -> tuple[str, ...]:
        """All forms of the token on the wire."""
        return self.secret, _coded(f"user={self.user}\1auth=Bearer {self.secret}\1\1")


Login = Password | AccessToken


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
