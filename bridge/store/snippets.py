"""Snippets (standard responses), each of one inbox or shared by all."""

from __future__ import annotations

from bridge.model import InboxId
from bridge.store.connection import Connection


class Snippets:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def all(self, inbox: InboxId) -> dict[str, str]:
        """Name and text of all snippets that an inbox can use; its own replace shared ones."""
        rows = await self._conn.fetch(
            "SELECT name, text FROM snippet WHERE inbox IN ($1, '') ORDER BY name, inbox", inbox
        )
        return {row["name"]: row["text"] for row in rows}

    async def own(self, inbox: InboxId) -> dict[str, str]:
        """Name and text of the snippets of this inbox only; the shared ones for `''`."""
        rows = await self._conn.fetch(
            "SELECT name, text FROM snippet WHERE inbox = $1 ORDER BY name", inbox
        )
        return {row["name"]: row["text"] for row in rows}

    async def put(self, inbox: InboxId, name: str, text: str) -> None:
        await self._conn.execute(
            "INSERT INTO snippet (inbox, name, text) VALUES ($1, $2, $3)"
            " ON CONFLICT (inbox, name) DO UPDATE SET text = $3",
            inbox,
            name,
            text,
        )

    async def remove(self, inbox: InboxId, name: str) -> None:
        await self._conn.execute("DELETE FROM snippet WHERE inbox = $1 AND name = $2", inbox, name)
