"""Message-IDs: which conversations they belong to, and which are missing."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import InboxId, MessageId, Number
from bridge.store.connection import Connection


class MailIds:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def add_known_id(self, inbox: InboxId, message_id: MessageId, number: Number) -> None:
        """Let mails that name this Message-ID find the conversation."""
        await self._conn.execute(
            "INSERT INTO known_id (inbox, message_id, number) VALUES ($1, $2, $3)"
            " ON CONFLICT (inbox, message_id, number) DO NOTHING",
            inbox,
            message_id,
            number,
        )

    async def is_sent(self, inbox: InboxId, message_id: MessageId, body_hash: str) -> bool:
        """Whether an inbox sent a mail with this Message-ID and these contents."""
        return (
            await self._conn.fetchval(
                "SELECT 1 FROM mail WHERE inbox = $1 AND message_id = $2 AND body_hash = $3"
                " AND outbound",
                inbox,
                message_id,
                body_hash,
            )
            is not None
        )

    async def conversations_of(
        self, inbox: InboxId, ids: Sequence[MessageId]
    ) -> list[tuple[MessageId, Number]]:
        """The conversations of known Message-IDs, in the order of `ids`, newest first for each."""
        found = []
        for message_id in ids:
            rows = await self._conn.fetch(
                "SELECT number FROM known_id WHERE inbox = $1 AND message_id = $2"
                " ORDER BY number DESC",
                inbox,
                message_id,
            )
            found += [(message_id, Number(row["number"])) for row in rows]
        return found

    async def add_missing_parents(
        self, inbox: InboxId, parents: Sequence[MessageId], number: Number
    ) -> None:
        """Store the Message-IDs of parent mails that are missing: when such a mail arrives, it
        joins the conversation."""
        for parent in parents:
            await self._conn.execute(
                "INSERT INTO awaited (inbox, message_id, number) VALUES ($1, $2, $3)"
                " ON CONFLICT (inbox, message_id, number) DO NOTHING",
                inbox,
                parent,
                number,
            )

    async def conversations_missing(self, inbox: InboxId, message_id: MessageId) -> list[Number]:
        """The conversations that miss this mail as a parent, oldest first."""
        rows = await self._conn.fetch(
            "SELECT number FROM awaited WHERE inbox = $1 AND message_id = $2 ORDER BY number",
            inbox,
            message_id,
        )
        return [Number(row["number"]) for row in rows]
