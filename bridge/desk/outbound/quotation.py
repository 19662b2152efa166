"""Quotes the answered mail below the answer, from the stored mail, never from the room."""

from __future__ import annotations

import time
from collections.abc import Collection

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.mail import author
from bridge.mail.compose import Quote
from bridge.model import Address, Letter

LONGEST = 20_000
"""Most characters of a quote; the recipient has the whole mail anyway."""


async def of(
    desk: Desk, inbox: Inbox, letter: Letter | None, to: Collection[Address]
) -> Quote | None:
    """The new text of the answered mail, without its own quotes. None where a recipient in `to` may
    not read it (a colleague's mail is for the team), or its bytes are not stored any more."""
    if letter is None or letter.raw is None or not _may_read(desk, letter, to):
        return None
    async with desk.store.reading() as tx:
        raw = await tx.mails.raw(letter.raw)
    if not raw:
        return None
    mail, body = await desk.reader.read(raw, inbox.authserv_id, inbox.own)
    text = body.text[:LONGEST]
    html = body.html if len(body.html) <= LONGEST else ""
    day = time.strftime("%a, %d %b %Y at %H:%M", time.localtime(mail.date or letter.at))
    return Quote(f"On {day}, {mail.sender} wrote:", text, html)


def _may_read(desk: Desk, letter: Letter, to: Collection[Address]) -> bool:
    """Whether everybody in `to` may read the mail: a colleague's mail is only for the team and for
    its own recipients."""
    own = desk.own_addresses
    if not author.is_internal(letter, own):
        return True
    have_it = {each.key for each in (letter.sender, *letter.to, *letter.cc)}
    return all(each.key in have_it or author.is_from_us(each, own) for each in to)
