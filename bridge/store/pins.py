"""Files that agents marked for their next email (`!attach`)."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import (
    EventId,
    Mxid,
    Number,
)
from bridge.store.connection import Connection


class Pins:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def of(self, number: Number, agent: Mxid) -> list[EventId]:
        """The files an agent marked for their next email in a conversation."""
        rows = await self._conn.fetch(
            "SELECT file FROM pin WHERE number = $1 AND agent = $2 ORDER BY file", number, agent
        )
        return [EventId(row["file"]) for row in rows]

    async def add(self, number: Number, agent: Mxid, file: EventId, by: EventId) -> None:
        await self._conn.execute(
            "INSERT INTO pin (number, agent, file, made_by) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (agent, file) DO UPDATE SET made_by = $4",
            number,
            agent,
            file,
            by,
        )

    async def drop(self, *, by: EventId | None = None, files: Sequence[EventId] = ()) -> None:
        """Delete the pin made by an event, and every pin of these files."""
        if by is not None:
            await self._conn.execute("DELETE FROM pin WHERE made_by = $1", by)
        for file in files:
            await self._conn.execute("DELETE FROM pin WHERE file = $1", file)
