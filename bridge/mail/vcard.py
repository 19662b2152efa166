"""A contact card, as a file of a mail: vCard 3.0 (RFC 2426), which every address book reads."""

from __future__ import annotations

import re

from bridge.mail.charset import clean_line

MAX_LINE = 75
"""Octets of a line, without its end (RFC 2425 §5.8.1)."""
TYPE = "text/vcard; charset=utf-8"


def vcard(name: str, address: str, *, organization: str, phone: str, url: str) -> bytes:
    """The card of one inbox in UTF-8; what is empty is left out, besides the name."""
    rows = [
        ("VERSION", "3.0"),
        ("FN", _escaped(name)),
        ("N", f";{_escaped(name)};;;"),  # required, and not a person
        ("ORG", _escaped(organization)),
        ("EMAIL;TYPE=INTERNET", _escaped(address)),
        ("TEL;TYPE=WORK,VOICE", _escaped(phone)),  # without a type old readers drop it
        ("URL", clean_line(url, 500)),
    ]
    lines = ["BEGIN:VCARD", *(f"{key}:{value}" for key, value in rows if value), "END:VCARD"]
    return b"".join(_folded(line) + b"\r\n" for line in lines)


def _escaped(text: str) -> str:
    """RFC 2426 §4: commas, semicolons and backslashes are no separators; there is one line."""
    return re.sub(r"([\\,;])", r"\\\1", clean_line(text, 500))


def _folded(line: str) -> bytes:
    """The line in pieces of at most MAX_LINE octets, never cut inside a character."""
    pieces, now = [], b""
    for character in line:
        more = character.encode()
        if len(now) + len(more) > MAX_LINE:
            pieces.append(now)
            now = b" "
        now += more
    return b"\r\n".join((*pieces, now))
