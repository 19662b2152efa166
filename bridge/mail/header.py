"""Read the headers of a compat32 message with limits on their size."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from bridge.mail.address import is_domain, parse_list
from bridge.mail.charset import clean, clean_line, decode
from bridge.model import Address, MessageId

MAX_HEADER = 20_000
"""Maximum characters that are read of one header."""
HEAD = 100_000
"""Bytes of a mail that are searched for its headers."""
MAX_LIST = 200_000
"""Maximum characters that are read of a header that lists addresses or ids."""
ESCAPED = re.compile("[\x1b\udc80-\udcff]")
"""What shows that a header has characters of a charset that it does not name."""
WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
MSG_ID = re.compile(r"<([^<>]{1,990})>")
ID_OR_WORDS = re.compile(rf"<[^<>]{{1,990}}>|{WORD.pattern}(?:\s+{WORD.pattern})*")
BARE_ID = re.compile(r"[^\s<>,;\"()]{1,400}@[^\s<>,;\"()]{1,400}")


def raw_values(message: Message, name: str, limit: int = MAX_HEADER) -> list[str]:
    """All values of a header, unfolded but with encoded words; 8-bit bytes are decoded."""
    values = []
    for key, value in message._headers if hasattr(message, "_headers") else ():
        if key.lower() == name.lower():
            text = str(value)[:limit]
            if ESCAPED.search(text):
                text = decode(text.encode("utf-8", "surrogateescape"), None)
            values.append(re.sub(r"[\r\n]+[ \t]*", " ", text))
    return values


def text(message: Message, name: str, limit: int = MAX_HEADER) -> str:
    """The first value of a header, decoded, as one clean line."""
    values = raw_values(message, name)
    return clean_line(decode_words(values[0]), limit) if values else ""


def values_of(raw: bytes, name: str) -> list[str]:
    """All values of a header of a raw mail, decoded; parses only the header block."""
    head = re.split(rb"\r?\n\r?\n", raw[:HEAD], maxsplit=1)[0]
    message = BytesHeaderParser(policy=compat32).parsebytes(head + b"\n\n")
    return [clean_line(decode_words(each), MAX_HEADER) for each in raw_values(message, name)]


def decode_words(value: str) -> str:
    """Decode the encoded words (RFC 2047) of a value. Adjoining words of one charset are joined as
    bytes first, because senders split characters between words."""
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


def addresses(message: Message, name: str) -> tuple[Address, ...]:
    """The addresses of a header. Names are decoded after the list is split, as they have commas."""
    return tuple(
        Address(_spec(address), clean_line(decode_words(address.name), 120))
        for value in raw_values(message, name, MAX_LIST)
        for address in parse_list(value) or _hidden(value)
    )


def _spec(address: Address) -> str:
    """The address as it was meant: Python's email package, for one, writes a domain that is not
    ASCII as encoded words, against RFC 2047 §5."""
    local, at, domain = address.spec.rpartition("@")
    if "=?" not in domain:
        return address.spec
    meant = clean_line(decode_words(domain))
    return f"{local}{at}{meant}" if is_domain(meant) else address.spec


def _hidden(value: str) -> tuple[Address, ...]:
    """The addresses of a value that names none as the standard wants: inside encoded words, or
    after a quotation mark that is never closed."""
    text = decode_words(value)
    return parse_list(text) or parse_list(text.replace('"', " "))


def senders(message: Message) -> tuple[tuple[Address, ...], bool]:
    """(the addresses of From, or of Sender where From has none; whether From is as it should be,
    so that a server that checked it read the same)."""
    found = addresses(message, "from")
    written = [
        each for value in raw_values(message, "from", MAX_LIST) for each in parse_list(value)
    ]
    is_plain = bool(written) and not any("=?" in each.spec for each in written)
    return found or addresses(message, "sender"), is_plain


def ids(message: Message, name: str, limit: int = 200) -> tuple[MessageId, ...]:
    """The last `limit` msg-ids of a header, without duplicates (RFC 5322 §3.6.4). Also those that
    programs write as encoded words, without brackets, or with a line break inside."""
    found: dict[str, None] = {}
    for value in raw_values(message, name, MAX_LIST):
        text = value if "=?" not in value else ID_OR_WORDS.sub(_decoded_id, value)
        for each in MSG_ID.findall(text) or BARE_ID.findall(text):
            inner = "".join(clean(each).split())
            if inner:
                found.setdefault(f"<{inner}>")
    return tuple(map(MessageId, found))[-limit:]


def _decoded_id(match: re.Match[str]) -> str:
    """What stands in brackets as it is, other encoded words decoded."""
    return match[0] if match[0].startswith("<") else decode_words(match[0])


def parameter(message: Message, name: str, wanted: str) -> str:
    """A decoded parameter of a header; empty if there is none. Accepts RFC 2231 with any charset,
    and prefers it, encoded words in quotes (RFC 2047 forbids them, but many send them), percent
    escapes, and raw 8-bit bytes."""
    for value in raw_values(message, name)[:1]:
        if wanted not in value.lower():
            return ""
        holder = Message()
        holder[name] = value
        try:
            pairs = holder.get_params([], name) or []
        except (LookupError, ValueError, TypeError):
            return ""
        found = [value for key, value in pairs if key.lower() == wanted]
        for each in found:
            if isinstance(each, tuple):  # (charset, language, bytes as characters)
                return decode_words(decode(str(each[2]).encode("raw-unicode-escape"), each[0]))
        return _plain(str(found[0])) if found else ""
    return ""


EXTENDED = re.compile(r"([\w-]{1,40})'[\w-]{0,20}'(.*)", re.DOTALL)
"""A value of RFC 2231 in a parameter whose name has no asterisk."""


def _plain(value: str) -> str:
    """A parameter's value without encoded words and percent escapes. Those are decoded only where
    they make UTF-8, as a name may have a percent sign."""
    extended = EXTENDED.fullmatch(value)
    if extended is not None and "%" in value:
        return decode(unquote_to_bytes(extended[2]), extended[1])
    text = decode_words(value)
    if text.isascii() and "%" in text:
        try:
            return unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            return text
    return text


DATES = ("date", "resent-date", "x-original-date", "delivery-date")


def date(message: Message) -> float | None:
    """When a mail was written, epoch seconds: its Date, else a similar header, else the date of the
    topmost Received header; None if no value can be read as a date in 1970–2100."""
    values = [value for name in DATES for value in raw_values(message, name)[:1]]
    values += [value.rpartition(";")[2] for value in raw_values(message, "received")[:1]]
    for value in values:
        seconds = _seconds(value.strip())
        if seconds is not None:
            return seconds
    return None


def _seconds(value: str) -> float | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(value[:100])
            # without a zone it is UTC (RFC 5322 §3.3: `-0000`), not the zone of this machine
            seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (TypeError, ValueError, IndexError, OverflowError, OSError):
            continue
        return seconds if 0 < seconds < 4_102_444_800 else None
    return None
