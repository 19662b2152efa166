"""Whose conversation it is, and whether it is open: take, close, reopen."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.desk.hearing import Hearing
from bridge.desk.refresh import refresh
from bridge.model import Conversation, Kind, State
from bridge.ports import Tx


async def take(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!take`, or ✋ on the card: mine, invited, and the card says so."""
    about = heard.about
    if about.assignee == heard.who:
        return "You have it already."
    if about.assignee is not None and heard.event.type == "m.reaction":
        return f"#{about.number} is taken by {about.assignee}; !take in its room takes it over."
    about = await tx.conversations.update(about.number, assignee=heard.who, changed_at=desk.now())
    if about.room is not None and await tx.rooms.membership(about.room, heard.who) != "join":
        await tx.posts.put(
            f"invite:{about.number}:{heard.who}:{heard.event.id}",
            f"conversation:{about.number}", desk.bot, Kind.INVITE, {}, type="m.room.member",
            state_key=heard.who,
        )  # fmt: skip
    await refresh(tx, desk, about)
    return f"#{about.number} is yours." if heard.event.type != "m.reaction" else None


async def close(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    if heard.about.state is State.CLOSED:
        return "It is closed already."
    await _set(tx, desk, heard.about, State.CLOSED)
    return "Closed. A mail from the customer opens it again."


async def reopen(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    if heard.about.state is State.OPEN:
        return "It is open already."
    await _set(tx, desk, heard.about, State.OPEN)
    return "Open again."


async def _set(tx: Tx, desk: Desk, about: Conversation, state: State) -> None:
    now = desk.now()
    changed = await tx.conversations.update(
        about.number, state=state, changed_at=now,
        closed_at=now if state is State.CLOSED else None,
        waiting_since=(about.waiting_since or now) if state is State.OPEN else None,
    )  # fmt: skip
    await refresh(tx, desk, changed)
