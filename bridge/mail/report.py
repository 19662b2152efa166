"""Read reports on mails we sent: bounced, delayed, read (RFC 3464, RFC 8098)."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32

import flufl.bounce

from bridge.mail import header, tree
from bridge.mail.address import parse_list
from bridge.mail.charset import clean_line, decode
from bridge.mail.relay import OWN_ID
from bridge.mail.transfer import coding, payload
from bridge.model import MessageId, RecipientStatus, Report, SenderKind

MAX_SCAN = 100_000
"""Maximum bytes that are searched in each part of a report."""
MAX_GUESSED = 30_000
"""Maximum bytes of a bounce without a machine-readable part that flufl.bounce gets to read."""
MAX_ADDRESSES = 50
ID_LINE = re.compile(r"message-id:\s{0,5}(<[^<>\s]{1,990}>)", re.IGNORECASE)
STATUS = re.compile(r"\b[45]\.\d{1,3}\.\d{1,3}\b")


def read(message: Message, sender_kind: SenderKind, size: int) -> Report | None:
    """The report of a bounce or receipt; None for every other mail. `size` in bytes."""
    if sender_kind not in (SenderKind.BOUNCE, SenderKind.RECEIPT):
        return None
    parts = [leaf.part for leaf in tree.leaves(message) if leaf.packed is None]
    statuses: dict[str, tuple[RecipientStatus, str]] = {}
    originals: list[MessageId] = []
    senders: set[str] = set()
    for part in parts:
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            statuses |= dict(_delivery(part))
        elif kind == "message/disposition-notification":
            statuses |= dict(_disposition(part, originals))
        elif kind in ("message/rfc822", "message/global"):
            inner = part.get_payload()
            if isinstance(inner, list) and inner and isinstance(inner[0], Message):
                originals += _ids(inner[0])
                senders |= {each.key for each in parse_list(header.text(inner[0], "from"))}
        elif kind in ("text/rfc822-headers", "message/global-headers"):
            text = decode(payload(part)[:MAX_SCAN], None)
            returned = HeaderParser(policy=compat32).parsestr(text)
            originals += _ids(returned)
            senders |= {each.key for each in parse_list(header.text(returned, "from"))}
    if not statuses and sender_kind is SenderKind.BOUNCE and size <= MAX_GUESSED:
        statuses = _guessed(message, parts)
    if not originals:
        originals += _mentioned(parts)
    originals += [*header.ids(message, "in-reply-to"), *reversed(header.ids(message, "references"))]
    is_formal = message.get_content_type() == "multipart/report"
    return Report(tuple(dict.fromkeys(originals))[:20], statuses, frozenset(senders), is_formal)


def _ids(returned: Message) -> list[MessageId]:
    """The ids of a returned mail: its Message-ID, and ours where a relay replaced that."""
    return [*header.ids(returned, "message-id", 1), *header.ids(returned, OWN_ID, 1)]


def _blocks(part: Message) -> list[Message]:
    """The header blocks of a machine-readable part of a report."""
    inner = part.get_payload()
    if isinstance(inner, list) and not coding(part):
        return [each for each in inner if isinstance(each, Message)]
    text = decode(payload(part)[:MAX_SCAN], None)
    blocks = re.split(r"\r?\n\r?\n", text)[: MAX_ADDRESSES + 1]
    return [HeaderParser(policy=compat32).parsestr(block) for block in blocks]


def _delivery(part: Message) -> Iterator[tuple[str, tuple[RecipientStatus, str]]]:
    """(address, (status, reason)) of each named recipient that failed or is delayed (RFC 3464
    §2.3)."""
    for block in _blocks(part)[: MAX_ADDRESSES + 1]:
        action = header.text(block, "action", 40).lower().partition(" ")[0]
        status = {"failed": RecipientStatus.BOUNCED, "delayed": RecipientStatus.DELAYED}.get(action)
        if status is None:
            continue
        reason = _reason(block)
        for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
            for address in parse_list(header.text(block, name, 500).rpartition(";")[2]):
                yield address.key, (status, reason)


def _reason(block: Message) -> str:
    """`5.1.1 550 no such user`: the diagnostic text, with the status code unless it has it."""
    status = STATUS.search(header.text(block, "status", 100))
    said = header.text(block, "diagnostic-code", 600)
    kind, semicolon, rest = said.partition(";")
    said = rest.strip() if semicolon and " " not in kind.strip() else said
    code = status[0] if status is not None else ""
    return clean_line(said if code in said else f"{code} {said}", 300)


def _disposition(
    part: Message, originals: list[MessageId]
) -> Iterator[tuple[str, tuple[RecipientStatus, str]]]:
    """(address, (READ, "")) of a person who saw the mail. Appends its Message-ID to `originals`."""
    for block in _blocks(part)[:2]:
        originals += header.ids(block, "original-message-id", 1)
        did = header.text(block, "disposition", 200).lower().rpartition(";")[2]
        if "displayed" not in did:
            continue
        for name in ("original-recipient", "final-recipient"):
            for address in parse_list(header.text(block, name, 500).rpartition(";")[2]):
                yield address.key, (RecipientStatus.READ, "")


def _guessed(message: Message, parts: list[Message]) -> dict[str, tuple[RecipientStatus, str]]:
    """Recipients and statuses of a bounce without a machine-readable part, by known patterns."""
    try:
        delayed, failed = flufl.bounce.all_failures(_simple(message))
    except Exception:  # noqa: BLE001 - its detectors raise almost anything
        delayed, failed = frozenset(), frozenset()
    found = {
        address.key: (status, "")
        for status, specs in ((RecipientStatus.DELAYED, delayed), (RecipientStatus.BOUNCED, failed))
        for spec in sorted(specs)
        for address in parse_list(decode(bytes(spec), None))
    }
    for address in parse_list(header.text(message, "x-failed-recipients", 2000)):
        found.setdefault(address.key, (RecipientStatus.BOUNCED, ""))
    if not found:
        return {}
    said = _said(parts)
    return {key: (status, said) for key, (status, _) in list(found.items())[:MAX_ADDRESSES]}


def _simple(message: Message) -> Message:
    """A copy with only str headers: flufl.bounce stops at the first detector that fails on another
    type."""
    copied = copy.copy(message)
    copied._headers = [(name, str(value)) for name, value in message._headers]  # type: ignore[attr-defined]  # of the package
    if "from" not in copied:
        copied["From"] = "unknown@invalid"
    return copied


def _said(parts: list[Message]) -> str:
    """The first line of the text parts with a status code; empty if there is none."""
    for part in parts:
        if part.get_content_maintype() == "text":
            for line in decode(payload(part)[:MAX_SCAN], None).splitlines():
                if STATUS.search(line) or re.match(r"\s*(?:<<< )?5\d\d[ -]", line):
                    return clean_line(line, 300)
    return ""


def _mentioned(parts: list[Message]) -> list[MessageId]:
    """Message-IDs of a returned mail that is quoted in the text."""
    found: list[MessageId] = []
    for part in parts:
        text = decode(payload(part)[:MAX_SCAN], None)
        found += [MessageId(match[1]) for match in ID_LINE.finditer(text)][:5]
    return found
