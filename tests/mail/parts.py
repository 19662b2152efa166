"""One file of a mail, for tests that look at one."""

from __future__ import annotations

from bridge.mail.parse import files


def part_bytes(raw: bytes, part: int) -> bytes:
    """The bytes of an Attachment. Raises IndexError when there is no such part."""
    return list(files(raw))[part]
