"""Parse the bytes of a mail into a Mail that can always be shown, and into its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser

from bridge.mail import (
    body,
    forwarded,
    header,
    limits,
    machine,
    reaction,
    relay,
    report,
    rewritten,
    tree,
    trust,
)
from bridge.mail.charset import clean, decode
from bridge.model import Address, Mail, MessageId, SenderKind

MAX_HEADERS = 100_000
"""Maximum bytes of the top header block that are read on their own."""
HEAD_TEXT = 5000
"""Bytes of the body shown of a mail that could not be read."""
NOBODY = Address("unknown@invalid", "Unknown sender")
DELIVERED = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-delivered-to")


def parse(raw: bytes, authserv_id: str = "", own: frozenset[str] = frozenset()) -> Mail:
    """Parse a mail. Never raises: unreadable content is left out, and `Mail.problem` says why.

    `own` are the inbox's addresses, case-folded.
    """
    problem = limits.hopeless(raw)
    if problem:
        return headers_only(raw, problem, authserv_id, own)
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
        return _read(message, raw, authserv_id, own, body.read(message), "")
    except (RecursionError, MemoryError):
        return headers_only(raw, "it is nested too deeply", authserv_id, own)
    except Exception as error:  # noqa: BLE001 - the email package raises almost anything
        what = f"{type(error).__name__} while reading it"
        return headers_only(raw, what, authserv_id, own)


def headers_only(
    raw: bytes, problem: str, authserv_id: str = "", own: frozenset[str] = frozenset()
) -> Mail:
    """A mail that cannot be parsed as a whole: its headers, and the start of its body as text."""
    head, rest = _split(raw)
    contents = body.Contents(clean(decode(rest[:HEAD_TEXT], None)), "", (), ())
    try:
        message = BytesHeaderParser(policy=policy.compat32).parsebytes(head)
        del message["content-type"]
        return _read(message, raw, authserv_id, own, contents, problem)
    except Exception:  # noqa: BLE001 - whatever else is odd about it
        return _read(Message(), raw, "", own, contents, problem)


def recipients(raw: bytes) -> tuple[str, ...]:
    """The case-folded recipients in the headers of a mail. Cheap, for choosing its inbox."""
    try:
        message = BytesHeaderParser(policy=policy.compat32).parsebytes(_split(raw)[0])
        return _named(message)
    except Exception:  # noqa: BLE001 - the email package raises almost anything
        return ()


def senders(raw: bytes) -> frozenset[str]:
    """The case-folded addresses of the senders; parses only the headers."""
    try:
        message = BytesHeaderParser(policy=policy.compat32).parsebytes(_split(raw)[0])
        return frozenset(each.key for each in header.senders(message)[0])
    except Exception:  # noqa: BLE001 - the email package raises almost anything
        return frozenset()


def _named(message: Message) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(a.key for name in DELIVERED for a in header.addresses(message, name))
    )


def as_bytes(raw: bytes, problem: str) -> Mail:
    """A mail of which nothing could be parsed: the start of its bytes as text, without headers."""
    digest = hashlib.sha256(raw).hexdigest()
    return Mail(
        _id_from(digest), digest, NOBODY, text=clean(decode(raw[:HEAD_TEXT], None)),
        problem=problem,
    )  # fmt: skip


def _id_from(digest: str) -> MessageId:
    """The Message-ID for a mail that has none."""
    return MessageId(f"<{digest[:40]}@no-message-id.invalid>")


def files(raw: bytes) -> Iterator[bytes]:
    """The decoded bytes of every leaf of a mail, in the order of Attachment.part."""
    message = BytesParser(policy=policy.compat32).parsebytes(raw)
    return (leaf.data for leaf in tree.leaves(message))


def body_hash(raw: bytes) -> str:
    """SHA-256 over From, To, Cc, Subject, Date and the body with LF line ends.

    Leaves out trace headers (Received, Delivered-To, X-*): they differ between copies of a mail.
    """
    head, rest = _split(raw)
    digest = hashlib.sha256()
    try:
        message = BytesHeaderParser(policy=policy.compat32).parsebytes(head)
    except Exception:  # noqa: BLE001 - whatever else is odd about it
        message = Message()
    for name in ("from", "to", "cc", "subject", "date"):
        for value in header.raw_values(message, name):
            digest.update(f"{name}:{' '.join(value.split())}\n".encode("utf-8", "replace"))
    digest.update(b"\n" + rest.replace(b"\r\n", b"\n").rstrip(b"\n"))
    return digest.hexdigest()


def _split(raw: bytes) -> tuple[bytes, bytes]:
    match = limits.END_OF_HEADERS.search(raw)
    if match is None:
        return raw[:MAX_HEADERS], raw[MAX_HEADERS:]
    return raw[: min(match.end(), MAX_HEADERS)], raw[match.end() :]


def _read(
    message: Message,
    raw: bytes,
    authserv_id: str,
    own: frozenset[str],
    contents: body.Contents,
    problem: str,
) -> Mail:
    senders, is_plain = header.senders(message)
    sender = senders[0] if senders else NOBODY
    digest = body_hash(raw)
    own_id = header.ids(message, "message-id", 1)
    sender_kind = machine.sender_kind(message, own)
    several = len({each.key for each in senders}) > 1
    unsure = several or (bool(authserv_id) and not is_plain)
    emoji = reaction.read(message, contents.text)
    if emoji:
        contents = replace(contents, text=f"{emoji} reacts to a mail", html="", files=())
        sender_kind = SenderKind.AUTOMATIC
    inner = forwarded.attached(message, contents.files)
    original, is_original_signed = rewritten.original(message, sender)
    return Mail(
        message_id=own_id[0] if own_id else _id_from(digest),
        body_hash=digest,
        sender=sender,
        to=header.addresses(message, "to"),
        cc=header.addresses(message, "cc"),
        reply_to=header.addresses(message, "reply-to"),
        recipients=_named(message),
        subject=header.text(message, "subject", 500),
        date=header.date(message) or 0.0,
        in_reply_to=header.ids(message, "in-reply-to"),
        references=header.ids(message, "references"),
        text=contents.text or "\n".join(map(forwarded.as_text, inner)),
        html=contents.html,
        attachments=contents.files,
        sender_kind=sender_kind,
        wants_no_answer=machine.wants_no_answer(message),
        sender_verdict=trust.verdict(message, authserv_id, sender.domain, unsure=unsure),
        notes=(trust.TWO_SENDERS, *contents.notes) if several else contents.notes,
        report=report.read(message, sender_kind, len(raw)),
        forwarded=inner if sender_kind is SenderKind.PERSON else (),
        problem=problem or contents.problem,
        own_id=next(iter(header.ids(message, relay.OWN_ID, 1)), None),
        original=original,
        is_original_signed=is_original_signed,
    )
