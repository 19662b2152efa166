"""What a mail server said, without our password in it."""

from __future__ import annotations

from bridge.mail.charset import clean_line, decode
from bridge.model.login import Login


def masked(text: str, login: Login | None) -> str:
    """What a server said, as one clean line without the secret that logs in: some repeat what they
    did not understand, in the clear or as it was encoded for AUTH."""
    for each in login.said if login and login.secret else ():
        text = text.replace(each, "…")
    return clean_line(decode(text.encode("utf-8", "surrogateescape"), None), 600)
