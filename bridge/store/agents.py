"""Data about agents besides their rooms: who is away, and what they have read."""

from __future__ import annotations

from bridge.model import EventId, Mxid, RoomId
from bridge.store.connection import Connection


class Agents:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def away(self) -> frozenset[Mxid]:
        rows = await self._conn.fetch("SELECT mxid FROM away")
        return frozenset(Mxid(row["mxid"]) for row in rows)

    async def set_away(self, mxid: Mxid, since: float | None) -> None:
        """Store that an agent is away since `since`, epoch seconds; None: they are back."""
        await self._conn.execute("DELETE FROM away WHERE mxid = $1", mxid)
        if since is not None:
            await self._conn.execute("INSERT INTO away (mxid, since) VALUES ($1, $2)", mxid, since)

    async def saw(self, room: RoomId, mxid: Mxid, event: EventId, at: float) -> None:
        """Store a public read receipt: everything up to `event` was read at `at`, epoch seconds."""
        await self._conn.execute(
            "INSERT INTO seen (room, mxid, event, at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (room, mxid) DO UPDATE SET event = $3, at = $4 WHERE seen.at <= $4",
            room,
            mxid,
            event,
            at,
        )

    async def seen(self, room: RoomId, mxid: Mxid) -> tuple[EventId, float] | None:
        """(last event the agent is known to have read, when); None for one without public read
        receipts."""
        row = await self._conn.fetchrow(
            "SELECT event, at FROM seen WHERE room = $1 AND mxid = $2", room, mxid
        )
        return None if row is None else (EventId(row["event"]), row["at"])
