"""Conversations started in the last hour, for the hourly limits."""

from __future__ import annotations

from bridge.model import (
    InboxId,
)
from bridge.store.connection import Connection

HOUR = 3600.0


class RecentStarts:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def since(self, inbox: InboxId, sender: str, since: float) -> tuple[int, int]:
        """(conversations of this sender, of all senders) started in an inbox since a time."""
        row = await self._conn.fetchrow(
            "SELECT COALESCE(SUM(CASE WHEN sender = $2 THEN 1 ELSE 0 END), 0) AS by_sender,"
            " COUNT(*) AS by_all FROM begun WHERE inbox = $1 AND at > $3",
            inbox,
            sender,
            since,
        )
        return int(row["by_sender"]), int(row["by_all"])

    async def add(self, inbox: InboxId, sender: str, at: float) -> None:
        """Count one more conversation, and delete those from over an hour before."""
        await self._conn.execute(
            "DELETE FROM begun WHERE inbox = $1 AND at <= $2", inbox, at - HOUR
        )
        await self._conn.execute(
            "INSERT INTO begun (inbox, sender, at) VALUES ($1, $2, $3)", inbox, sender, at
        )
