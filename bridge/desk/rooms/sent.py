"""Shows a mail that we sent as a line, in a room where nobody wrote it."""

from __future__ import annotations

from bridge.chat import render
from bridge.desk.desk import Desk
from bridge.model import Letter, Number, Place, PostKey, Shows, Wanted
from bridge.ports import Tx


async def show_sent(tx: Tx, desk: Desk, letter: Letter, number: Number) -> None:
    """Request the line in the room of conversation `number`."""
    to_whom = render.people((*letter.to, *letter.cc)[:10])
    text = f"↗ sent {render.clock(letter.at, desk.now())} to {to_whom}: {letter.subject}"
    key = PostKey.of_mail(Shows.WENT, letter.id, number)
    await tx.posts.put(Wanted.message(key, Place.of(number), desk.bot, render.notice(text)))
