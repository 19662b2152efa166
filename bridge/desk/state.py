"""Whether a conversation is open: close, reopen."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.desk.hearing import Hearing
from bridge.desk.refresh import refresh
from bridge.model import Conversation, State
from bridge.ports import Tx


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
