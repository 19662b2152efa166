"""Accounts of outgoing servers through which no mail can be sent now."""

from __future__ import annotations

from typing import Any

from bridge.model import SendingProblem
from bridge.store.connection import Connection


class SendingProblems:
    """Rows of `sending_problem`; an account without one works, as far as is known."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def get(self, account: str) -> SendingProblem | None:
        row = await self._conn.fetchrow("SELECT * FROM sending_problem WHERE account = $1", account)
        return None if row is None else _problem(row)

    async def put(self, problem: SendingProblem) -> None:
        """Store a problem, in place of an earlier one of the account."""
        await self._conn.execute(
            "INSERT INTO sending_problem (account, kind, said, since, tries, next_at, is_told)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account) DO UPDATE"
            " SET kind = $2, said = $3, since = $4, tries = $5, next_at = $6, is_told = $7",
            problem.account,
            problem.kind,
            problem.said,
            problem.since,
            problem.tries,
            problem.next_at,
            problem.is_told,
        )

    async def end(self, account: str) -> None:
        await self._conn.execute("DELETE FROM sending_problem WHERE account = $1", account)

    async def all(self) -> list[SendingProblem]:
        """Every problem, oldest first."""
        rows = await self._conn.fetch("SELECT * FROM sending_problem ORDER BY since, account")
        return [_problem(row) for row in rows]


def _problem(row: Any) -> SendingProblem:
    return SendingProblem(
        account=row["account"],
        kind=row["kind"],
        said=row["said"],
        since=row["since"],
        tries=row["tries"],
        next_at=row["next_at"],
        is_told=bool(row["is_told"]),
    )
