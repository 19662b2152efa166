"""The mail that is answered, quoted below the answer: from the mail store, never from the room."""

from __future__ import annotations

import time
from collections.abc import Collection

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
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
    """Whether a mail is for all that a reply to it goes `to`: a colleague's is for the team, and
    for those it was sent to."""
    own = desk.own_addresses
    if not author.is_internal(letter, own):
        return True
    have_it = {each.key for each in (letter.sender, *letter.to, *letter.cc)}
    return all(each.key in have_it or author.came_through(each, own) for each in to)
