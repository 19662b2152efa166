"""A file inside a part of a mail: in a winmail.dat, in uuencoded text, in HTML."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Packed:
    """A file inside a part."""

    name: str
    """As the sender wrote it; may be empty."""
    data: bytes
    type: str = ""
    """`type/subtype`; empty if only the name tells."""
    content_id: str = ""
    """Its Content-ID, if the HTML shows it as a picture."""
