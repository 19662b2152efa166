"""Files written into text by uuencode (POSIX uuencode), as old Unix mailers and devices do."""

from __future__ import annotations

import binascii
import re

from bridge.mail.charset import clean_line, decode
from bridge.mail.packed import Packed

BEGIN = re.compile(rb"^begin [0-7]{3,4}(?: ([^\r\n]{0,200}))?\r?\n", re.MULTILINE)
END = (b"end",)
MAX_FILES = 100


def split(data: bytes) -> tuple[bytes, tuple[Packed, ...]]:
    """(the text without the files in it, the files). What does not end as such a file has to is
    left in the text. Linear: a line of one file cannot begin another."""
    if b"begin " not in data:
        return data, ()
    files: list[Packed] = []
    kept: list[bytes] = []
    at = 0
    while len(files) < MAX_FILES and (match := BEGIN.search(data, at)):
        content, end = _read(data, match.end())
        if content is None:
            kept.append(data[at:end])
        else:
            kept.append(data[at : match.start()])
            files.append(Packed(clean_line(decode(match[1] or b"", None), 500), content))
        at = end
    return (b"".join((*kept, data[at:])), tuple(files)) if files else (data, ())


def _read(data: bytes, at: int) -> tuple[bytes | None, int]:
    """(the decoded file, None if it is damaged; where reading ended)."""
    found: list[bytes] = []
    while at < len(data):
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        line = data[at:stop].rstrip(b"\r")
        if line in END:
            return b"".join(found), min(stop + 1, len(data))
        piece = _line(line)
        if piece is None:
            return None, at
        found.append(piece)
        at = stop + 1
    return None, len(data)


def _line(line: bytes) -> bytes | None:
    """The bytes of one line; None if it is none. Its first character says how many they are."""
    if not line.strip():
        return b""
    length = (line[0] - 32) & 63
    letters = (length + 2) // 3 * 4
    if not 32 <= line[0] <= 96 or len(line) - 1 > letters + 1:
        return None
    try:  # trailing blanks stand for zeros, and are often lost on the way
        return binascii.a2b_uu(line[:1] + line[1 : letters + 1].ljust(letters, b" "))
    except binascii.Error:
        return None
