"""Numbers for reports: mails, answers, and durations. Times are epoch seconds."""

from __future__ import annotations

from typing import Any

from bridge.model import ANSWER_FORMS, DELIVERIES_THAT_LEFT, InboxId, Mxid, Timing
from bridge.store.connection import Connection
from bridge.store.words import listed

ANSWERED, GONE = listed(ANSWER_FORMS), listed(DELIVERIES_THAT_LEFT)


class ReportCounts:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def received(self, inbox: InboxId, since: float) -> list[Timing]:
        """Every mail that a person wrote to an inbox since a time; `seconds` is 0."""
        return await self._fetch(
            "SELECT mail.at AS at, 0 AS seconds, tags, '' AS agent FROM mail"
            " JOIN conversation ON conversation.number = mail.number WHERE mail.inbox = $1"
            " AND mail.at >= $2 AND NOT outbound AND nature = 'person' AND state <> 'spam'",
            inbox,
            since,
        )

    async def answered(self, inbox: InboxId, since: float) -> list[Timing]:
        """Every answer that an agent sent since a time; `seconds` is 0."""
        return await self._fetch(
            "SELECT finished_at AS at, 0 AS seconds, tags, agent FROM delivery"
            " JOIN conversation ON conversation.number = delivery.number"
            f" WHERE delivery.inbox = $1 AND finished_at >= $2 AND form IN ({ANSWERED})"
            f" AND delivery.state IN ({GONE})",
            inbox,
            since,
        )

    async def first_answers(self, inbox: InboxId, since: float) -> list[Timing]:
        """The time to the first answer, for each conversation that a customer started and that got
        its first answer since a time."""
        return await self._fetch(
            "SELECT finished_at AS at, finished_at - conversation.created_at AS seconds, tags,"
            " '' AS agent FROM delivery JOIN conversation ON conversation.number = delivery.number"
            f" WHERE delivery.inbox = $1 AND finished_at >= $2 AND form IN ({ANSWERED})"
            f" AND delivery.state IN ({GONE}) AND NOT EXISTS (SELECT 1 FROM delivery"
            "  AS other WHERE other.number = delivery.number AND (other.form = 'compose'"
            f"  OR (other.form IN ({ANSWERED}) AND other.state IN ({GONE})"
            "   AND other.finished_at < delivery.finished_at)))",
            inbox,
            since,
        )

    async def resolved(self, inbox: InboxId, since: float) -> list[Timing]:
        """The time from creation to closing, for each conversation closed since a time and still
        closed."""
        return await self._fetch(
            "SELECT closed_at AS at, closed_at - created_at AS seconds, tags, '' AS agent"
            " FROM conversation WHERE inbox = $1 AND state = 'closed' AND closed_at >= $2"
            " AND merged IS NULL",
            inbox,
            since,
        )

    async def _fetch(self, query: str, inbox: InboxId, since: float) -> list[Timing]:
        rows: list[Any] = await self._conn.fetch(query, inbox, since)
        return [
            Timing(row["at"], row["seconds"], tuple(row["tags"].split()), Mxid(row["agent"]))
            for row in rows
        ]
