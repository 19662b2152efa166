"""Width and height of a picture, read from its first bytes; nothing is decoded."""

from __future__ import annotations

import struct

LARGEST = 1 << 20
"""Most pixels of a side that is believed."""
LOOK = 1 << 18
"""Bytes of a JPEG that are looked through for its size."""
MAX_PADDING = 1000


def of(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels of a PNG, GIF, JPEG or WebP; None for others, and for damaged
    ones."""
    try:
        found = _of(data)
    except (struct.error, IndexError):
        return None
    if found is None or not all(0 < side <= LARGEST for side in found):
        return None
    return found


def _of(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":  # PNG §11.2.1
        return struct.unpack(">II", data[16:24])
    if data.startswith((b"GIF87a", b"GIF89a")):
        return struct.unpack("<HH", data[6:10])
    if data.startswith(b"\xff\xd8"):
        return _of_jpeg(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _of_webp(data)
    return None


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    """The size in the first frame header (ITU-T T.81 §B.2.2: SOF0 to SOF15, without DHT, JPG and
    DAC)."""
    at, padding = 2, 0
    while at < min(len(data), LOOK):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # padding, of which no program writes much
            at += 1
            padding += 1
            if padding > MAX_PADDING:
                return None
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without content
            at += 2
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _of_webp(data: bytes) -> tuple[int, int] | None:
    """The size in the first chunk (RFC 9649 §2.5 to 2.7)."""
    kind, head = data[12:16], data[20:]
    if kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if kind == b"VP8L" and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None
