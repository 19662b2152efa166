"""Blocked senders of each inbox (addresses and domains), whose mails are spam."""

from __future__ import annotations

from bridge.model import InboxId, Mxid, key_of
from bridge.store.connection import Connection


class Blocked:
    """Rows of `blocked`; a sender is a case-folded address, or a domain."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def add(self, inbox: InboxId, sender: str, agent: Mxid, now: float) -> bool:
        """Block a sender; returns whether it was not blocked before."""
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
        """Unblock a sender; returns whether it was blocked."""
        there = sender in await self.all(inbox)
        await self._conn.execute(
            "DELETE FROM blocked WHERE inbox = $1 AND sender = $2", inbox, sender
        )
        return there

    async def all(self, inbox: InboxId) -> list[str]:
        """The blocked senders of an inbox, sorted."""
        rows = await self._conn.fetch(
            "SELECT sender FROM blocked WHERE inbox = $1 ORDER BY sender", inbox
        )
        return [row["sender"] for row in rows]

    async def holds(self, inbox: InboxId, spec: str) -> bool:
        """Whether an address is blocked: itself, its domain, or a domain above that."""
        labels = key_of(spec).rpartition("@")[2].split(".")
        names = [key_of(spec), *(".".join(labels[n:]) for n in range(len(labels)))]
        marks = ", ".join(f"${n}" for n in range(2, len(names) + 2))
        return bool(
            await self._conn.fetchval(
                f"SELECT COUNT(*) FROM blocked WHERE inbox = $1 AND sender IN ({marks})",
                inbox,
                *names,
            )
        )
