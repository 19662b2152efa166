"""What a mail server said, without our password in it."""

from __future__ import annotations

import base64

from bridge.config.inbox import Server
from bridge.mail.charset import clean_line, decode


def masked(text: str, server: Server) -> str:
    """What a server said, as one clean line without the password: some repeat what they did not
    understand, in the clear or as it was encoded for AUTH."""
    secret = server.password.get_secret_value()
    hidden = [secret, *(_coded(each) for each in (
        secret, f"\0{server.user}\0{secret}", f"{server.user}\0{server.user}\0{secret}"
    ))]  # fmt: skip
    for each in hidden if secret else ():
        text = text.replace(each, "…")
    return clean_line(decode(text.encode("utf-8", "surrogateescape"), None), 600)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
