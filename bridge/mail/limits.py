"""Sizes of files as text, the limit on the files of one mail, and what is too much to parse."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_HEADER_BLOCK = 300_000
"""Bytes of a top header block above which only the headers are read."""
MAX_BOUNDARIES = 20_000
MAX_NESTED = 400
"""Number of multipart and message parts above which no tree is built."""
NESTING = re.compile(rb"content-type:[ \t]{0,20}(?:multipart|message)/", re.IGNORECASE)
END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def size(number: int) -> str:
    """`78 bytes`, `12 kB`, `3.4 MB`."""
    if number < 1000:
        return f"{number} bytes"
    if number < 1_000_000:
        return f"{number / 1000:.0f} kB"
    return f"{number / 1_000_000:.1f} MB".replace(".0 MB", " MB")


def over(files: Sequence[tuple[str, int]], limit: int) -> str:
    """The refusal of `files`, (name, bytes) each, if their total is over `limit` bytes; otherwise
    empty. It names the largest file, because the mail may fit without it."""
    total = sum(weight for _, weight in files)
    if total <= limit:
        return ""
    name, weight = max(files, key=lambda each: each[1])
    others = f", and all files {size(total)}" if len(files) > 1 else ""
    return (
        f"{name} has {size(weight)}{others}: over this inbox's limit of {size(limit)} for a"
        " mail. Send less, or a link."
    )


def hopeless(raw: bytes) -> str:
    """Why a mail is too expensive to parse into a tree, in time or memory; empty if it is not.
    Looks only at the bytes."""
    if raw.count(b"\n--") > MAX_BOUNDARIES:
        return "it has too many parts"
    if sum(1 for _ in NESTING.finditer(raw, 0, 5_000_000)) > MAX_NESTED:
        return "it is nested too deeply or has too many parts"
    if len(raw) > MAX_HEADER_BLOCK and not END_OF_HEADERS.search(raw[:MAX_HEADER_BLOCK]):
        return "its headers are too long"
    return ""
