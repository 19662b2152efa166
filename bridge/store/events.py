"""Matrix events that matter to us, each kept once."""

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
        """Keep `event` and give it a job in `lane`. False when it is known already.

        The event id is the key: transaction ids restart with the homeserver.
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
        """Forget what an event said; that it came is still known."""
        await self._conn.execute("UPDATE event SET content = '{}' WHERE id = $1", event)


def event_of(row: Any) -> Event:
    """A row of the table."""
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
