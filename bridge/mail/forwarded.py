"""Find the mails that a mail forwards: the sender, subject and text of each.

The forwarder may write above, between and below them, and mail programs do not mark where. So the
texts found here may contain the forwarder's words: show them to agents only, never to a customer.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from email.message import Message
from itertools import islice

from bridge.mail import body, header, tree
from bridge.mail.address import bare
from bridge.mail.charset import clean_line
from bridge.mail.line import Kind, Line
from bridge.mail.lines import FIELDS, header_field_name, kinds
from bridge.mail.thread import base_subject
from bridge.model import Address, Attachment, Forwarded, Mail

MOST = 5
"""Maximum forwarded mails that are read, nearest first."""
LONGEST = 2_000
"""Maximum characters kept of the text of each."""
MAX_INPUT = 50_000
"""Characters of a mail's text that are searched for forwarded mails."""
PREFIX = re.compile(
    r"\s*\[?(?:extern(?:al)?\]\s*)?"
    r"(?:fwd?|wg|tr|i|rv|enc|doorst|vs|vl|vb|pd|ilt|i̇lt|wtr|πρθ|továbbítás|הועבר|转发|轉寄|転送|전달)"
    r"\s*[:：]",
    re.IGNORECASE,
)
"""Prefix of the subject of a forwarding mail, in many languages."""
HEADS = (Kind.FORWARD, Kind.HISTORY)


def attached(message: Message, files: Sequence[Attachment]) -> tuple[Forwarded, ...]:
    """The only mail among the `files` of a mail (RFC 2046 §5.2.1). Empty if there are several,
    because nothing tells which of them is meant."""
    parts = [each.part for each in files if each.type == "message/rfc822"]
    if len(parts) != 1:
        return ()
    inner = next(islice(tree.leaves(message), parts[0], None)).part.get_payload()
    mail = inner[0] if isinstance(inner, list) and inner else None
    senders = header.addresses(mail, "from") if isinstance(mail, Message) else ()
    if not isinstance(mail, Message) or len(senders) != 1:
        return ()
    words = body.read(mail).text.strip()[:LONGEST]
    return (Forwarded(senders[0], header.text(mail, "subject", 500), words),)


def begins_thread(mail: Mail) -> bool:
    """Whether a mail answers none, as far as its headers and its subject say."""
    return not mail.ancestors() and base_subject(mail.subject) == mail.subject.strip()


def as_text(mail: Forwarded) -> str:
    """A forwarded mail as mail programs write it into the text of the forwarding one."""
    said = f"---------- Forwarded message ----------\nFrom: {mail.sender}\nSubject: {mail.subject}"
    return f"{said}\n\n{mail.text}"


def quoted(mail: Mail) -> tuple[Forwarded, ...] | None:
    """The mails that a mail repeats in its own text, each below its From, Date and Subject. None if
    it repeats none; empty if the nearest one does not name its sender.

    Mail programs write the same lines above a mail that is answered; an answer forwards nothing.
    """
    if not (begins_thread(mail) or PREFIX.match(mail.subject)):
        return None
    rows = mail.text[:MAX_INPUT].split("\n")
    found = _in(rows)
    if found is None and any(row.startswith(">") for row in rows):  # as Apple Mail quotes it
        first = next(i for i, row in enumerate(rows) if row.startswith(">"))
        last = next((i for i in range(first, len(rows)) if rows[i][:1] not in (">", "")), len(rows))
        found = _in([re.sub(r"\A> ?", "", row) for row in rows[first:last]])
    return found


def _in(rows: Sequence[str]) -> tuple[Forwarded, ...] | None:
    blocks = list(_blocks(kinds([Line(row) for row in rows])))
    if not blocks:
        return None
    found = []
    ends = [*(first for first, _ in blocks), len(rows)][1:]
    for (first, last), end in zip(blocks[:MOST], ends[:MOST], strict=True):
        origin = _read(rows[first:last], "\n".join(rows[last:end]).strip()[:LONGEST])
        if origin is None:  # without this sender, older mails are not used
            break
        found.append(origin)
    return tuple(found)


def _blocks(found: Sequence[Kind]) -> Iterator[tuple[int, int]]:
    """(first line, line after the last) of each header block of an older mail."""
    i = 0
    while i < len(found):
        if found[i] not in HEADS:
            i += 1
            continue
        end = i
        for j in range(i, len(found)):
            if found[j] in HEADS:
                end = j + 1
            elif found[j] is not Kind.BLANK:
                break
        yield i, end
        i = end


def _read(head: Sequence[str], text: str) -> Forwarded | None:
    """The forwarded mail with the header block `head`; None if it names no sender, or several."""
    said: dict[str, list[str]] = {}
    name = ""
    for row in head:
        if found := header_field_name(row):
            name = next((which for which in FIELDS if found in FIELDS[which]), "other")
            if name == "from" and name in said:  # the header block of another mail
                break
            said.setdefault(name, []).append(re.split("[:：]", row, maxsplit=1)[1])
        elif name in said:
            said[name].append(row)
    sender = html.unescape(" ".join(said.get("from", ()))[:1000])
    pieces = (each.strip("\"'*|;, \t\xa0") for each in re.split(r"[\s<>()\[\]]+", sender))
    specs = [each.removeprefix("mailto:") for each in pieces if "@" in each]
    address = bare(specs[0]) if len({spec.casefold() for spec in specs}) == 1 else None
    if address is None or address.spec != specs[0]:
        return None
    called = sender.partition(specs[0])[0].removesuffix("mailto:").strip("\"'*|<([ \t\xa0")
    subject = clean_line(" ".join(said.get("subject", ())).strip(" *\t\xa0"), 500)
    return Forwarded(Address(address.spec, clean_line(called, 120)), subject, text)
