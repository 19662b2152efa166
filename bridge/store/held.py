"""Mails of a mailbox that its server did not give: they are asked for again."""

from __future__ import annotations

from bridge.model import HeldMail
from bridge.store.connection import Connection


class HeldMails:
    """Rows of `held_mail`; `tries` are weighted by whoever counts them."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def hold(
        self, account: str, folder: str, validity: int, uid: int, reason: str, now: float
    ) -> None:
        """Note that a mail was not given; it is tried again some time after `now`."""
        await self._conn.execute(
            "INSERT INTO held_mail (account, folder, validity, uid, tries, tried_at, reason)"
            " VALUES ($1, $2, $3, $4, 0, $6, $5) ON CONFLICT (account, folder, validity, uid)"
            " DO UPDATE SET tried_at = $6, reason = $5",
            account,
            folder,
            validity,
            uid,
            reason,
            now,
        )

    async def count(self, account: str, folder: str, validity: int, uid: int, weight: int) -> int:
        """Count a try; returns what was counted so far."""
        return int(
            await self._conn.fetchval(
                "UPDATE held_mail SET tries = tries + $5 WHERE account = $1 AND folder = $2"
                " AND validity = $3 AND uid = $4 RETURNING tries",
                account,
                folder,
                validity,
                uid,
                weight,
            )
            or 0
        )

    async def report(self, account: str, folder: str, validity: int, uid: int) -> bool:
        """Note that people are told of a mail; returns whether they were not told before."""
        found = await self._conn.fetchval(
            "UPDATE held_mail SET is_reported = TRUE WHERE account = $1 AND folder = $2"
            " AND validity = $3 AND uid = $4 AND NOT is_reported RETURNING uid",
            account,
            folder,
            validity,
            uid,
        )
        return found is not None

    async def release(self, account: str, folder: str, validity: int, uid: int) -> None:
        await self._conn.execute(
            "DELETE FROM held_mail WHERE account = $1 AND folder = $2 AND validity = $3"
            " AND uid = $4",
            account,
            folder,
            validity,
            uid,
        )

    async def forget(self, account: str, folder: str) -> None:
        """Forget the held mails of a folder: it was made anew, and numbers its mails anew."""
        await self._conn.execute(
            "DELETE FROM held_mail WHERE account = $1 AND folder = $2", account, folder
        )

    async def of_folder(self, account: str, folder: str, validity: int) -> list[HeldMail]:
        """The held mails of a folder, oldest first. Those of another UIDVALIDITY do not count."""
        rows = await self._conn.fetch(
            "SELECT uid, tried_at, is_reported FROM held_mail WHERE account = $1 AND folder = $2"
            " AND validity = $3 ORDER BY uid",
            account,
            folder,
            validity,
        )
        return [HeldMail(row["uid"], row["tried_at"], bool(row["is_reported"])) for row in rows]

    async def of_account(self, account: str) -> tuple[int, str]:
        """(number of held mails that people were not told of yet, why the newest is held)."""
        rows = await self._conn.fetch(
            "SELECT reason FROM held_mail WHERE account = $1 AND NOT is_reported ORDER BY uid",
            account,
        )
        return len(rows), rows[-1]["reason"] if rows else ""
