"""The mails that a mail forwards: who wrote each of them, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.message import Message

from bridge.mail import body, header, tree
from bridge.mail.address import bare
from bridge.mail.charset import clean_line
from bridge.mail.lines import FIELDS, Kind, Line, field, kinds
from bridge.mail.thread import base_subject
from bridge.model import Address, Forwarded, Mail

MOST = 5
"""Mails of which the author is looked for, nearest first."""
LONGEST = 20_000
"""Characters of each that are kept."""
MAX_INPUT = 300_000
"""Characters of a mail in which they are looked for."""
PREFIX = re.compile(
    r"\s*(?:fwd?|wg|tr|i|rv|enc|doorst|vs|vb|pd|továbbítás|转发|轉寄|転送|전달)\s*[:：]",
    re.IGNORECASE,
)
"""How the subject of a forwarded mail begins."""
HEADS = (Kind.FORWARD, Kind.HISTORY)
SPEC = re.compile(r"[^\s<>()\[\]\"',;:*]{1,64}@[^\s<>()\[\]\"',;:*]{1,255}")


def attached(message: Message) -> tuple[Forwarded, ...]:
    """Of the mails that a mail has as files (RFC 2046 §5.2.1)."""
    found = []
    for leaf in tree.leaves(message):
        inner = leaf.part.get_payload()
        is_mail = leaf.part.get_content_type() == "message/rfc822" and leaf.packed is None
        mail = inner[0] if is_mail and isinstance(inner, list) and inner else None
        senders = header.addresses(mail, "from") if isinstance(mail, Message) else ()
        if isinstance(mail, Message) and len(senders) == 1:
            found.append(Forwarded(senders[0], body.read(mail).text.strip()[:LONGEST]))
        if len(found) == MOST:
            break
    return tuple(found)


def quoted(mail: Mail) -> tuple[Forwarded, ...]:
    """Of the mails that a mail repeats in its own text, below From, Date and Subject of each.

    Mail programs write those above a mail they answer, too: an answer forwards nothing.
    """
    is_first = not mail.ancestors() and base_subject(mail.subject) == mail.subject.strip()
    if not (is_first or PREFIX.match(mail.subject)):
        return ()
    rows = mail.text[:MAX_INPUT].split("\n")
    # Apple Mail repeats a mail as a quote
    return _in(rows) or _in([re.sub(r"\A> ?", "", row) for row in rows])


def _in(rows: Sequence[str]) -> tuple[Forwarded, ...]:
    found = []
    blocks = list(_blocks(kinds([Line(row) for row in rows])))
    ends = [*(first for first, _ in blocks), len(rows)][1:]
    for (first, last), end in zip(blocks, ends, strict=True):
        author = _author(rows[first:last])
        if author is not None:
            found.append(Forwarded(author, "\n".join(rows[last:end]).strip()[:LONGEST]))
        if len(found) == MOST:
            break
    return tuple(found)


def _blocks(found: Sequence[Kind]) -> Iterator[tuple[int, int]]:
    """(first line, line behind the last) of each head of an older mail."""
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


def _author(head: Sequence[str]) -> Address | None:
    """Whom a head names as sender, by one address; None where it names none, or more."""
    values: list[str] = []
    for row in head:
        if name := field(row):
            if values:
                break
            if name in FIELDS["sender"]:
                values.append(re.split("[:：]", row, maxsplit=1)[1])
        elif values:
            values.append(row)
    value = " ".join(values)[:1000]
    specs = {match[0].casefold(): match for match in reversed([*SPEC.finditer(value)])}
    if len(specs) != 1:
        return None
    (match,) = specs.values()
    address = bare(match[0])
    if address is None:
        return None
    name = re.sub(r"[<\[(]?\s*(?:mailto:)?\s*\Z", "", value[: match.start()])
    return Address(address.spec, clean_line(name.strip(" \t\xa0*\"'"), 120))
