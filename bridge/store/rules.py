"""Rules written in chat, stored as YAML."""

from __future__ import annotations

from bridge.model import InboxId
from bridge.store.connection import Connection


class Rules:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def all(self, inbox: InboxId) -> list[tuple[int, str]]:
        """(number, YAML) of each rule, in the order in which they were added."""
        rows = await self._conn.fetch(
            "SELECT id, text FROM rule WHERE inbox = $1 ORDER BY id", inbox
        )
        return [(row["id"], row["text"]) for row in rows]

    async def add(self, inbox: InboxId, text: str) -> int:
        return int(
            await self._conn.fetchval(
                "INSERT INTO rule (inbox, text) VALUES ($1, $2) RETURNING id", inbox, text
            )
        )

    async def remove(self, rule: int) -> InboxId | None:
        """Delete a rule; returns its inbox, None where there is no such rule."""
        inbox = await self._conn.fetchval("DELETE FROM rule WHERE id = $1 RETURNING inbox", rule)
        return None if inbox is None else InboxId(inbox)
