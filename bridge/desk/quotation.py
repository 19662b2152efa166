"""The mail that is answered, quoted below the answer: from the mail store, never from the room."""

from __future__ import annotations

import time
from collections.abc import Collection

from bridge.desk.desk import Desk
from bridge.inbox import Inbox
from bridge.mail import author
from bridge.mail.compose import Quote
from bridge.model import Address, Letter

LONGEST = 20_000
"""Characters of a quote; who wants more has the mail itself."""


async def of(
    desk: Desk, inbox: Inbox, letter: Letter | None, to: Collection[Address]
) -> Quote | None:
    """What was new in the mail a reply answers, as far as it is for those it goes `to`: what a
    colleague wrote is for the team. None where nothing is, or its bytes are not kept any more."""
    if letter is None or letter.raw is None:
        return None
    async with desk.store.reading() as tx:
        raw = await tx.mails.raw(letter.raw)
    if not raw:
        return None
    mail, body = await desk.reader.read(raw, inbox.authserv_id, inbox.own)
    own = desk.own_addresses
    if author.came_through(mail.sender, own) and not all(author.came_through(a, own) for a in to):
        origin = author.forwarded(mail, own)
        if origin is not None:
            return Quote(f"{origin.sender} wrote:", origin.text[:LONGEST], "")
        if {mail.sender.key, *(a.key for a in mail.reply_to)}.isdisjoint(a.key for a in to):
            return None
    text = body.text[:LONGEST]
    html = body.html if len(body.html) <= LONGEST else ""
    day = time.strftime("%a, %d %b %Y at %H:%M", time.localtime(mail.date or letter.at))
    return Quote(f"On {day}, {mail.sender} wrote:", text, html)
