"""The text of one text part of a mail: decoded, unfolded, and without the files written into it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message

from bridge.mail import embedded, enriched, flowed, header, pgp, uuencode
from bridge.mail.charset import clean, decode
from bridge.mail.transfer import payload
from bridge.mail.tree import HTML

MAX_TEXT = 2_000_000
"""Maximum characters of text that are read; the rest is only in the .eml."""
ENRICHED = ("text/enriched", "text/richtext")
KINDS = ("text/plain", *HTML, *ENRICHED)
"""The types of parts that are shown."""
META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}charset\s{0,5}=\s{0,5}[\"']?([\w:.-]{2,40})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class TextPart:
    """The content of a text part."""

    text: str
    is_html: bool
    is_cut: bool
    """Whether it was longer than what is read."""
    note: str = ""
    """What is to be said above it."""


def read(part: Message, kind: str) -> TextPart:
    """Read a part that is shown as of type `kind`."""
    data = payload(part)
    charset = header.parameter(part, "content-type", "charset")
    if kind in HTML:
        named = META_CHARSET.search(data[:2000]) if not charset else None
        charset = named[1].decode() if named else charset
        data, _ = embedded.split(data)
    elif kind not in ENRICHED:
        data, _ = uuencode.split(data)
    is_cut = len(data) > 4 * MAX_TEXT
    text = clean(decode(data[: 4 * MAX_TEXT], charset))
    if kind in HTML:
        return TextPart(text, True, is_cut)
    if kind in ENRICHED:
        return TextPart(enriched.to_html(text, rich=kind == "text/richtext"), True, is_cut)
    text, note = pgp.unwrap(text)
    if header.parameter(part, "content-type", "format").lower() == "flowed":
        spaced = header.parameter(part, "content-type", "delsp").lower() == "yes"
        text = flowed.unfold(text, delete_space=spaced)
    return TextPart(text, False, is_cut, note)
