"""The bytes of a part after transfer decoding (RFC 2045 §6), also where its label is odd."""

from __future__ import annotations

import binascii
import quopri
import re
from email.message import Message

from bridge.mail import header, uuencode

COMMENT = re.compile(r"\([^()]*\)")
TOKEN = re.compile(r"[a-z0-9-]+")
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
NO_LETTERS = bytes(each for each in range(256) if each not in LETTERS)
LONG_LINE = 16
"""Letters without a blank that no text begins with."""
PADDING = re.compile(rb"=+")


def coding(part: Message) -> str:
    """The transfer encoding that a part names: `base64`, `quoted-printable`, `uuencode`, or empty
    for none. Reads the first word, as senders add blanks, quotes, comments and semicolons."""
    value = header.text(part, "content-transfer-encoding", 200).lower()
    token = TOKEN.search(COMMENT.sub(" ", value))
    word = token[0] if token is not None else ""
    if word.startswith(("base64", "base-64")):
        return "base64"
    if word.startswith("quoted"):
        return "quoted-printable"
    return "uuencode" if word in ("x-uuencode", "uuencode", "x-uue", "uue") else ""


def payload(part: Message) -> bytes:
    """The bytes of a leaf after transfer decoding; unchanged if they cannot be decoded."""
    inner = part.get_payload()
    if isinstance(inner, list):
        return _enclosed(part, [each for each in inner if isinstance(each, Message)])
    return decoded(encoded(part), coding(part), is_text=part.get_content_maintype() == "text")


def encoded(part: Message) -> bytes:
    """The bytes of a leaf as they are in the mail."""
    # get_payload() would decode bytes that are not ASCII as it thinks fit
    inner = part._payload  # type: ignore[attr-defined]  # typeshed has public names only
    return inner.encode("ascii", "surrogateescape") if isinstance(inner, str) else b""


def decoded(data: bytes, encoding: str, *, is_text: bool = False) -> bytes:
    """`data` without its transfer encoding, unchanged if it is not encoded so. `is_text`: what
    follows encoded text is text as well, such as the footer of a mailing list."""
    if encoding == "quoted-printable":
        return quopri.decodestring(data)
    if encoding == "base64":
        return _base64(data, is_text=is_text)
    if encoding == "uuencode":
        _, files = uuencode.split(data)
        return files[0].data if files else data
    return data


def _base64(data: bytes, *, is_text: bool) -> bytes:
    """Decode base64, also in several padded pieces, cut off at the end, with stray bytes between
    the letters (RFC 2045 §6.8), or with plain lines after it."""
    rest = b""
    if data.translate(None, LETTERS + b"=\r\n"):
        lines = data.splitlines()
        good = [not line.strip().translate(None, LETTERS + b"=") for line in lines]
        start = next((line.strip() for line in lines if line.strip()), b"")
        if sum(good) * 2 < len(lines) and not (len(start) >= LONG_LINE and good[0]):
            return data
        if is_text and False in good:
            end = good.index(False)
            data, rest = b"\n".join(lines[:end]), b"\n".join(lines[end:])
    found = b"".join(_piece(each) for each in PADDING.split(data))
    return b"\n".join((found, rest)) if rest.strip() else found


def _piece(data: bytes) -> bytes:
    """Decode base64 without padding; a last letter that makes no byte is left out."""
    letters = data.translate(None, NO_LETTERS)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _enclosed(part: Message, inner: list[Message]) -> bytes:
    """The bytes of a message in a message. Some servers encode it, which RFC 2046 §5.2.1 forbids;
    the email package then reads the encoded text as its headers."""
    between = b"\n" if part.get_content_type() == "message/delivery-status" else b""
    return decoded(between.join(_flat(each) for each in inner), coding(part))


def _flat(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except Exception:  # noqa: BLE001 - the generator raises almost anything on odd headers
        lines = [f"{name}: {value}" for name, value in message.items()]
        text = "\n".join((*lines, "", str(message.get_payload())))
        return text.encode("utf-8", "surrogateescape")
