"""Remove our passwords from the replies of mail servers."""

from __future__ import annotations

from bridge.mail.charset import clean_line, decode
from bridge.model.login import Login


def masked(text: str, login: Login | None) -> str:
    """A server's reply as one clean line without the secret of `login`. Some servers repeat a
    command they did not understand, in plain text or as encoded for AUTH."""
    for each in login.wire_forms if login and login.secret else ():
        text = text.replace(each, "…")
    return clean_line(decode(text.encode("utf-8", "surrogateescape"), None), 600)
