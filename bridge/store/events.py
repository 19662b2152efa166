"""The Matrix events that concern us, each stored once."""

from __future__ import annotations

import json
from typing import Any

from bridge.model import Event, EventId, Mxid, RoomId
from bridge.model.task import HandleEvent
from bridge.store.connection import Connection
from bridge.store.jobs import Jobs


class Events:
    def __init__(self, conn: Connection, jobs: Jobs) -> None:
        self._conn = conn
        self._jobs = jobs

    async def store(self, event: Event, lane: str | None) -> bool:
        """Store an event and add its job in `lane`. False when the event is stored already.

        The event id is the key: the homeserver's transaction ids may start again.
        """
        row = await self._conn.fetchrow(
            "INSERT INTO event (id, room, sender, type, content, at, state_key, redacts,"
            " prev_membership, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            " ON CONFLICT (id) DO NOTHING RETURNING id",
            event.id,
            event.room,
            event.sender,
            event.type,
            json.dumps(event.content),
            event.at,
            event.state_key,
            event.redacts,
            event.prev_membership,
            event.seen_at,
        )
        if row is None:
            return False
        if lane is not None:
            await self._jobs.add(HandleEvent(event.id), lane)
        return True

    async def get(self, event: EventId) -> Event | None:
        row = await self._conn.fetchrow("SELECT * FROM event WHERE id = $1", event)
        return None if row is None else event_of(row)

    async def blank(self, event: EventId) -> None:
        """Delete the content of an event, but keep its row, so that it stays known."""
        await self._conn.execute("UPDATE event SET content = '{}' WHERE id = $1", event)


def event_of(row: Any) -> Event:
    """The Event of a database row."""
    return Event(
        id=EventId(row["id"]),
        room=RoomId(row["room"]),
        sender=Mxid(row["sender"]),
        type=row["type"],
        content=json.loads(row["content"]),
        at=row["at"],
        state_key=row["state_key"],
        redacts=None if row["redacts"] is None else EventId(row["redacts"]),
        prev_membership=row["prev_membership"],
        seen_at=row["seen_at"],
    )
