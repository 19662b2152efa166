"""Waits until it is stored that somebody is an agent, where the homeserver knows that already."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.desk.desk import Desk
from bridge.model import Event, InboxId, Mxid, Role, Transient

PATIENCE = 600.0
"""Seconds that an event waits for us to store the post it reacts to, or its sender as an agent."""


async def require_noted(desk: Desk, event: Event, inboxes: Iterable[InboxId], who: Mxid) -> None:
    """Raises Transient while somebody has joined the queue room of an inbox and that is not stored
    yet: their events in other rooms can arrive first, for example after the homeserver was down."""
    if desk.is_own(who) or desk.now() - event.at > PATIENCE:
        return
    for inbox in inboxes:
        async with desk.store.reading() as tx:
            queue = await tx.rooms.find(Role.QUEUE, inbox)
            known = await tx.rooms.is_agent(inbox, who)
        if queue is not None and not known and await desk.chat.membership(queue.id, who) == "join":
            raise Transient(f"it is not noted yet that {who} is an agent", retry_after=0.5)
