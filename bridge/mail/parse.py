"""Bytes to a Mail that can always be shown, and the bytes of one of its parts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser

from bridge.mail import header, machine, trust
from bridge.mail.address import parse_list
from bridge.mail.charset import clean, clean_line, decode
from bridge.mail.html import bare_text, has_text, to_text, too_deep
from bridge.model import Address, Attachment, Mail, MessageId

MAX_PARTS = 1000
OCTETS = "application/octet-stream"
MAX_DEPTH = 50
MAX_HEADERS = 100_000
"""Bytes of the top header block that are read."""
MAX_TEXT = 2_000_000
"""Characters of text that are looked at; the rest is in the .eml."""
NOBODY = Address("unknown@invalid", "Unknown sender")
DELIVERED = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-delivered-to")
EXTENSIONS = {
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/plain": ".txt",
    "text/html": ".html",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "application/pdf": ".pdf",
}


def parse(raw: bytes, authserv_id: str = "") -> Mail:
    """Read a mail. Never raises: what cannot be read is left out and `Mail.problem` says so."""
    try:
        if raw.count(b"\n--") > 20_000 or _too_deep(raw):
            return _headers_only(raw, authserv_id, "it is nested too deeply or has too many parts")
        return _read(BytesParser(policy=policy.compat32).parsebytes(raw), raw, authserv_id, "")
    except (RecursionError, MemoryError):
        return _headers_only(raw, authserv_id, "it is nested too deeply")
    except Exception as error:  # noqa: BLE001 - the email package raises almost anything
        return _headers_only(raw, authserv_id, f"{type(error).__name__} while reading it")


def recipients(raw: bytes) -> tuple[str, ...]:
    """Whom a mail names, from its headers alone: cheap, for deciding whose it is."""
    try:
        message = BytesHeaderParser(policy=policy.compat32).parsebytes(_split(raw)[0])
        return _named(message)
    except Exception:  # noqa: BLE001 - the email package raises almost anything
        return ()


def _named(message: Message) -> tuple[str, ...]:
    return tuple(dict.fromkeys(a.key for name in DELIVERED for a in _addresses(message, name)))


def part_bytes(raw: bytes, part: int) -> bytes:
    """The decoded bytes of an Attachment. Raises IndexError when there is no such part."""
    message = BytesParser(policy=policy.compat32).parsebytes(raw)
    for index, leaf in enumerate(_leaves(message)):
        if index == part:
            return _payload(leaf)
    raise IndexError(f"the mail has no part {part}")


def body_hash(raw: bytes) -> str:
    """SHA-256 over From, To, Cc, Subject, Date and the body with LF line ends.

    Trace headers (Received, Delivered-To, X-*) differ between two copies of one mail.
    """
    head, body = _split(raw)
    message = BytesHeaderParser(policy=policy.compat32).parsebytes(head)
    digest = hashlib.sha256()
    for name in ("from", "to", "cc", "subject", "date"):
        for value in header.raw_values(message, name):
            digest.update(f"{name}:{' '.join(value.split())}\n".encode("utf-8", "replace"))
    digest.update(b"\n" + body.replace(b"\r\n", b"\n").rstrip(b"\n"))
    return digest.hexdigest()


def _split(raw: bytes) -> tuple[bytes, bytes]:
    match = re.search(rb"\r?\n\r?\n", raw)
    if match is None:
        return raw[:MAX_HEADERS], b""
    return raw[: min(match.end(), MAX_HEADERS)], raw[match.end() :]


def _too_deep(raw: bytes) -> bool:
    """More multipart or message parts than any honest mail, before anything recurses."""
    head = raw[:5_000_000].lower()
    return head.count(b"content-type: multipart/") + head.count(b"content-type: message/") > 200


def _headers_only(raw: bytes, authserv_id: str, problem: str) -> Mail:
    head, body = _split(raw)
    message = BytesHeaderParser(policy=policy.compat32).parsebytes(head)
    for name in ("content-type", "content-transfer-encoding"):
        del message[name]
    message.set_payload(decode(body[:5000], None))
    return _read(message, raw, authserv_id, problem)


def _read(message: Message, raw: bytes, authserv_id: str, problem: str) -> Mail:
    senders = _addresses(message, "from")
    sender = senders[0] if senders else NOBODY
    digest = body_hash(raw)
    own_id = header.ids(message, "message-id", 1)
    text, html, attachments = _body(message)
    return Mail(
        message_id=own_id[0] if own_id else MessageId(f"<{digest[:40]}@no-message-id.invalid>"),
        body_hash=digest,
        sender=sender,
        to=_addresses(message, "to"),
        cc=_addresses(message, "cc"),
        reply_to=_addresses(message, "reply-to"),
        recipients=_named(message),
        subject=header.text(message, "subject", 500),
        date=header.date(message) or 0.0,
        in_reply_to=header.ids(message, "in-reply-to"),
        references=header.ids(message, "references"),
        text=text,
        html=html,
        attachments=attachments,
        nature=machine.nature(message),
        verdict=trust.verdict(message, authserv_id, sender.domain),
        problem=problem or ("two senders in From" if len(senders) > 1 else ""),
    )


def _addresses(message: Message, name: str) -> tuple[Address, ...]:
    """The addresses of a header. Names are decoded after the list is cut: they hold commas."""
    return tuple(
        Address(address.spec, clean_line(header.decode_words(address.name), 120))
        for value in header.raw_values(message, name)
        for address in parse_list(value)
    )


def _leaves(message: Message) -> Iterator[Message]:
    """The leaves of the tree in order; a message/rfc822 is a leaf, it belongs to its sender."""
    stack = [(message, 0)]
    count = 0
    while stack and count < MAX_PARTS:
        part, depth = stack.pop()
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            if depth < MAX_DEPTH:
                stack += [
                    (each, depth + 1) for each in reversed(inner) if isinstance(each, Message)
                ]
            continue
        count += 1
        yield part


def _payload(part: Message) -> bytes:
    inner = part.get_payload()
    if isinstance(inner, list):
        return b"".join(each.as_bytes() for each in inner if isinstance(each, Message))
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _body(message: Message) -> tuple[str, str, tuple[Attachment, ...]]:
    """(text, HTML, files). Of alternatives the HTML is shown, and the text stands beside it."""
    texts: list[str] = []
    htmls: list[str] = []
    files: list[Attachment] = []
    for index, part in enumerate(_leaves(message)):
        kind = part.get_content_type()
        disposition = str(part.get("content-disposition") or "").lower()
        named = _file_name(part)
        shown = kind in ("text/plain", "text/html") and not disposition.startswith("attachment")
        if shown and not (named and disposition):
            content = clean(decode(_payload(part), part.get_content_charset()))[:MAX_TEXT]
            (htmls if kind == "text/html" else texts).append(content)
            continue
        files.append(
            Attachment(
                part=index,
                name=named or f"part-{index + 1}{EXTENSIONS.get(kind, '.bin')}",
                type=kind if re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) else OCTETS,
                size=len(_payload(part)),
                content_id=clean_line(str(part.get("content-id") or "")).strip("<> "),
                inline=disposition.startswith("inline") or "content-id" in part,
            )
        )
    html = "\n".join(htmls)
    if html and too_deep(html):
        texts, html = texts or [bare_text(html)], ""
    text = "\n".join(part for part in texts if part.strip())
    if html and not has_text(html) and text:
        html = ""
    return (text or (to_text(html) if html else ""), html, tuple(files))


def _file_name(part: Message) -> str:
    """A clean base name without paths, controls and bidi marks, at most 120 characters."""
    try:
        name = part.get_filename() or ""
    except (LookupError, ValueError, TypeError):
        name = ""
    if not name and part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            subject = header.text(inner[0], "subject", 80)
            name = f"{subject or 'message'}.eml".replace("/", "-")
    name = clean_line(header.decode_words(str(name)), 500)
    name = re.split(r"[/\\]", name)[-1].strip(". ") if name else ""
    if len(name) > 120:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem[: 119 - len(suffix[:10])]}{dot}{suffix[:10]}" if dot else name[:120]
    return name
