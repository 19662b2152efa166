"""One guarded reader for the headers of a compat32 message."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from email.message import Message
from email.utils import parsedate_to_datetime

from bridge.mail.charset import clean, clean_line, decode
from bridge.model import MessageId

MAX_HEADER = 20_000
"""Characters of one header that are read."""
WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
MSG_ID = re.compile(r"<[^<>\s]{1,990}>")


def raw_values(message: Message, name: str) -> list[str]:
    """Every value of a header as it stands, unfolded; 8-bit bytes are decoded."""
    values = []
    for key, value in message._headers if hasattr(message, "_headers") else ():
        if key.lower() == name.lower():
            text = str(value)[:MAX_HEADER]
            if any("\udc80" <= char <= "\udcff" for char in text):
                text = decode(text.encode("utf-8", "surrogateescape"), None)
            values.append(re.sub(r"[\r\n]+[ \t]*", " ", text))
    return values


def text(message: Message, name: str, limit: int = MAX_HEADER) -> str:
    """The first value of a header, decoded, as one clean line."""
    values = raw_values(message, name)
    return clean_line(decode_words(values[0]), limit) if values else ""


def decode_words(value: str) -> str:
    """RFC 2047 words to text. Bytes of adjoining words of one charset are joined first,
    because senders split characters between words."""
    return "".join(_pieces(value))


def _pieces(value: str) -> Iterator[str]:
    position = 0
    pending, charset = b"", ""
    for match in WORD.finditer(value):
        between = value[position : match.start()]
        word_charset = match[1].partition("*")[0].lower()  # RFC 2231 §5 language
        if between.strip() or (pending and word_charset != charset):
            if pending:
                yield decode(pending, charset)
                pending = b""
            if between.strip() or not position:
                yield between
        elif not position:
            yield between
        pending += _word_bytes(match[2], match[3])
        charset = word_charset
        position = match.end()
    if pending:
        yield decode(pending, charset)
    yield value[position:]


def _word_bytes(encoding: str, payload: str) -> bytes:
    data = payload.encode("ascii", "replace")
    if encoding in "qQ":
        return quopri.decodestring(data, header=True)
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return data


def ids(message: Message, name: str, limit: int = 200) -> tuple[MessageId, ...]:
    """The msg-ids of a header, each once, the last `limit` of them (RFC 5322 §3.6.4)."""
    found = [match[0] for value in raw_values(message, name) for match in MSG_ID.finditer(value)]
    return tuple(MessageId(clean(each)) for each in dict.fromkeys(found))[-limit:]


def date(message: Message) -> float | None:
    """The Date as epoch seconds; None when absent, unreadable or outside 1970–2100."""
    for value in raw_values(message, "date")[:1]:
        try:
            moment = parsedate_to_datetime(value.strip())
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
        try:
            seconds = moment.timestamp()
        except (OverflowError, ValueError, OSError):
            return None
        return seconds if 0 < seconds < 4_102_444_800 else None
    return None
