"""Unpack a winmail.dat, into which Outlook packs text and files (MS-OXTNEF)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tnefparse import TNEF

from bridge.mail.charset import clean, clean_line, decode
from bridge.mail.packed import Packed

SIGNATURE = b"\x78\x9f\x3e\x22"
MAX_SIZE, MAX_OBJECTS, MAX_RECIPIENTS = 30_000_000, 2_000, 2_000
RECIPIENTS = 0x9004


@dataclass(frozen=True, slots=True)
class WinmailContents:
    """The contents of a winmail.dat: the mail's text, plain or HTML, and its files."""

    text: str
    html: str
    files: tuple[Packed, ...]
    has_rtf: bool = False
    """Whether it has the text as RTF, which is not read."""


def unpack(data: bytes) -> WinmailContents | None:
    """The contents of a winmail.dat; None if it is not one, is damaged, or is too large."""
    if not data.startswith(SIGNATURE) or len(data) > MAX_SIZE or not _is_modest(data):
        return None
    try:
        found = TNEF(data, do_checksum=False)
        files = tuple(
            Packed(_name(each.long_filename()) or f"attachment-{n}", bytes(each.data))
            for n, each in enumerate(found.attachments, 1)
            if isinstance(each.data, bytes)
        )
        return WinmailContents(
            _text(found.body), _text(found.htmlbody), files, bool(found._rtfbody)
        )
    except Exception:  # noqa: BLE001 - tnefparse raises almost anything on damaged input
        return None


def _is_modest(data: bytes) -> bool:
    """Whether there are few enough objects and recipients. The library copies the rest of the data
    for each object, and trusts the number of recipients in the data."""
    offset = 6
    for _ in range(MAX_OBJECTS):
        if offset + 12 >= len(data):
            return True
        name, length = struct.unpack_from("<xHxxI", data, offset)
        if name == RECIPIENTS and offset + 13 <= len(data):
            (rows,) = struct.unpack_from("<I", data, offset + 9)
            if rows > MAX_RECIPIENTS:
                return False
        offset += length + 11
    return False


def _text(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    text = decode(value, None) if isinstance(value, bytes) else str(value or "")
    return clean(text).strip("\0")


def _name(value: object) -> str:
    return clean_line(_text(value), 500)
