"""Single values of the installation, IMAP cursors, and the last checks of mail accounts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from bridge.model import InboxId
from bridge.store.connection import Connection

FORMER_IDS = "former-ids"


class StoredSettings:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def value(self, name: str) -> str | None:
        value = await self._conn.fetchval("SELECT value FROM setting WHERE name = $1", name)
        return None if value is None else str(value)

    async def set_value(self, name: str, value: str) -> None:
        await self._conn.execute(
            "INSERT INTO setting (name, value) VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET value = $2",
            name,
            value,
        )

    async def drop_value(self, name: str) -> None:
        await self._conn.execute("DELETE FROM setting WHERE name = $1", name)

    async def values(self, prefix: str) -> dict[str, str]:
        """All values whose name starts with `prefix`, by name."""
        rows = await self._conn.fetch(
            "SELECT name, value FROM setting WHERE SUBSTR(name, 1, $2) = $1", prefix, len(prefix)
        )
        return {row["name"]: row["value"] for row in rows}

    async def secret(self) -> str:
        """The secret of this installation, from which room aliases are derived; created on first
        use, so call it in a transaction."""
        value = await self.value("secret")
        if value is None:
            value = secrets.token_hex(32)
            await self.set_value("secret", value)
        return value

    async def former_ids(self) -> list[str]:
        """The encrypted secrets that signed Message-IDs and reply addresses earlier."""
        return list(json.loads(await self.value(FORMER_IDS) or "[]"))

    async def set_former_ids(self, sealed: Sequence[str]) -> None:
        await self.set_value(FORMER_IDS, json.dumps(list(sealed)))

    async def cursor(self, account: str, folder: str) -> tuple[int, int] | None:
        """(UIDVALIDITY, last UID taken) of a folder; None before its first check."""
        row = await self._conn.fetchrow(
            "SELECT validity, uid FROM mailbox_cursor WHERE account = $1 AND folder = $2",
            account,
            folder,
        )
        return None if row is None else (row["validity"], row["uid"])

    async def set_cursor(self, account: str, folder: str, validity: int, uid: int) -> None:
        await self._conn.execute(
            "INSERT INTO mailbox_cursor (account, folder, validity, uid) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (account, folder) DO UPDATE SET validity = $3, uid = $4",
            account,
            folder,
            validity,
            uid,
        )

    async def forget_account(self, account: str) -> None:
        """Delete all data of a mail account; if it is set up again, only mail that arrives from
        then on is taken."""
        for table in ("mailbox_cursor", "account_check", "held_mail"):
            await self._conn.execute(f"DELETE FROM {table} WHERE account = $1", account)
        await self.drop_value(f"began:{account}")
        await self.drop_value(f"no-sent:{account}")

    async def record_check(self, account: str, now: float, problem: str) -> None:
        """Store the result of a check of an account; `problem` is empty when it succeeded."""
        await self._conn.execute(
            "INSERT INTO account_check (account, good_at, problem, told_at)"
            " VALUES ($1, $2, $3, 0) ON CONFLICT (account) DO UPDATE SET problem = $3,"
            " good_at = CASE WHEN $3 = '' THEN $2 ELSE account_check.good_at END",
            account,
            now,
            problem,
        )

    async def health(self, account: str) -> tuple[float, str, float] | None:
        """(time of the last successful check, or of the first one; problem; time when the alarm was
        raised, or 0)."""
        row = await self._conn.fetchrow(
            "SELECT good_at, problem, told_at FROM account_check WHERE account = $1", account
        )
        return None if row is None else (row["good_at"], row["problem"], row["told_at"])

    async def record_push(self, inbox: InboxId, at: float) -> None:
        """Store when a mail was last brought to an inbox, epoch seconds."""
        await self.set_value(f"pushed:{inbox}", str(at))

    async def last_push(self, inbox: InboxId) -> float | None:
        """When a mail was last brought to an inbox, epoch seconds; None for never."""
        value = await self.value(f"pushed:{inbox}")
        return None if value is None else float(value)

    async def set_alarm(self, account: str, at: float) -> None:
        """Store that the alarm was raised at `at`, epoch seconds; 0 ends it."""
        await self._conn.execute(
            "UPDATE account_check SET told_at = $2 WHERE account = $1", account, at
        )
