"""Senders whose mails are spam to an inbox: addresses and domains."""

from __future__ import annotations

from bridge.model import InboxId, Mxid
from bridge.store.connection import Connection


class Blocked:
    """Rows of `blocked`; a sender is a case-folded address, or a domain."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def add(self, inbox: InboxId, sender: str, agent: Mxid, now: float) -> bool:
        """Whether it is new."""
        if sender in await self.all(inbox):
            return False
        await self._conn.execute(
            "INSERT INTO blocked (inbox, sender, agent, at) VALUES ($1, $2, $3, $4)",
            inbox,
            sender,
            agent,
            now,
        )
        return True

    async def remove(self, inbox: InboxId, sender: str) -> bool:
        """Whether it was there."""
        there = sender in await self.all(inbox)
        await self._conn.execute(
            "DELETE FROM blocked WHERE inbox = $1 AND sender = $2", inbox, sender
        )
        return there

    async def all(self, inbox: InboxId) -> list[str]:
        """In the order of the alphabet."""
        rows = await self._conn.fetch(
            "SELECT sender FROM blocked WHERE inbox = $1 ORDER BY sender", inbox
        )
        return [row["sender"] for row in rows]

    async def holds(self, inbox: InboxId, spec: str) -> bool:
        """Whether an address is blocked: itself, its domain, or a domain above that."""
        labels = spec.casefold().rpartition("@")[2].split(".")
        names = [spec.casefold(), *(".".join(labels[n:]) for n in range(len(labels)))]
        marks = ", ".join(f"${n}" for n in range(2, len(names) + 2))
        return bool(
            await self._conn.fetchval(
                f"SELECT COUNT(*) FROM blocked WHERE inbox = $1 AND sender IN ({marks})",
                inbox,
                *names,
            )
        )
