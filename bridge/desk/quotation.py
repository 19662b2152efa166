"""The mail that is answered, quoted below the answer: from the mail store, never from the room."""

from __future__ import annotations

import time
from collections.abc import Collection

from bridge.desk.desk import Desk
from bridge.inbox import Inbox
from bridge.mail import author
from bridge.mail.compose import Quote
from bridge.model import Letter

LONGEST = 20_000
"""Characters of a quote; who wants more has the mail itself."""


async def of(desk: Desk, inbox: Inbox, letter: Letter | None, to: Collection[str]) -> Quote | None:
    """What was new in the mail a reply answers; None where its bytes are not kept any more. `to`
    are the addresses it goes to, case-folded."""
    if letter is None or letter.raw is None:
        return None
    async with desk.store.reading() as tx:
        raw = await tx.mails.raw(letter.raw)
    if not raw:
        return None
    mail, body = await desk.reader.read(raw, inbox.authserv_id, inbox.own)
    text = body.text[:LONGEST]
    origin = author.forwarded(mail, desk.own_addresses)
    if origin is not None and origin.sender.key in to:
        # what a colleague wrote above the mail is for the team
        return Quote(f"{origin.sender} wrote:", origin.text[:LONGEST], "")
    html = body.html if len(body.html) <= LONGEST else ""
    day = time.strftime("%a, %d %b %Y at %H:%M", time.localtime(mail.date or letter.at))
    return Quote(f"On {day}, {mail.sender} wrote:", text, html)
