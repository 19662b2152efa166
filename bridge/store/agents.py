"""What is known of agents beside their rooms: who is away."""

from __future__ import annotations

from bridge.model import Mxid
from bridge.store.connection import Connection


class Agents:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def away(self) -> frozenset[Mxid]:
        rows = await self._conn.fetch("SELECT mxid FROM away")
        return frozenset(Mxid(row["mxid"]) for row in rows)

    async def set_away(self, mxid: Mxid, since: float | None) -> None:
        """`since` in epoch seconds; None when they are back."""
        await self._conn.execute("DELETE FROM away WHERE mxid = $1", mxid)
        if since is not None:
            await self._conn.execute("INSERT INTO away (mxid, since) VALUES ($1, $2)", mxid, since)
