"""Pictures written into HTML as data: URLs (RFC 2397)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from urllib.parse import unquote_to_bytes

from bridge.mail import dimensions
from bridge.mail.packed import Packed

PICTURE = re.compile(
    rb"""(<img\b[^<>]{0,2000}?\bsrc\s{0,9}=\s{0,9}["']?\s{0,9})"""
    rb"data:(image/[\w.+-]{1,40})((?:;[\w.=-]{1,40}){0,4}),([^\"'<>\s][^\"'<>]*)",
    re.IGNORECASE,
)
MAX_PICTURES = 100
SPACER = 2
"""Maximum width and height, in pixels, of pictures that only take room."""


def split(html: bytes) -> tuple[bytes, tuple[Packed, ...]]:
    """(the HTML with a cid: URL in place of each picture in it, the pictures)."""
    if b"data:" not in html and b"DATA:" not in html:
        return html, ()
    found: dict[str, Packed] = {}

    def replaced(match: re.Match[bytes]) -> bytes:
        try:
            data = _bytes(match[4], b";base64" in match[3].lower())
        except (binascii.Error, ValueError):
            return match[1]
        size = dimensions.of(data)
        if not data or (size is not None and max(size) <= SPACER):
            return match[1]
        content_id = f"data-{hashlib.sha256(data).hexdigest()[:24]}"
        if content_id not in found:
            if len(found) >= MAX_PICTURES:
                return match[1]
            kind = match[2].decode().lower()
            suffix = re.sub(r"[^a-z0-9]", "", kind.partition("/")[2].partition("+")[0])
            name = f"picture-{len(found) + 1}.{suffix.replace('jpeg', 'jpg')}"
            found[content_id] = Packed(name, data, kind, content_id)
        return match[1] + b"cid:" + content_id.encode()

    return PICTURE.sub(replaced, html), tuple(found.values())


def _bytes(text: bytes, is_base64: bool) -> bytes:
    plain = unquote_to_bytes(bytes(text))
    if not is_base64:
        return plain
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", plain)
    return base64.b64decode(letters + b"=" * (-len(letters) % 4))
