"""OAuth2 grants: sealed tokens, and until when they last."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from bridge.model.grant import Grant, GrantState
from bridge.store.connection import Connection

COLUMNS = tuple(each.name for each in fields(Grant))


class Grants:
    """Rows of `oauth_grant`."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def get(self, name: str) -> Grant | None:
        row = await self._conn.fetchrow("SELECT * FROM oauth_grant WHERE name = $1", name)
        return None if row is None else _grant(row)

    async def all(self) -> list[Grant]:
        rows = await self._conn.fetch("SELECT * FROM oauth_grant ORDER BY name")
        return [_grant(row) for row in rows]

    async def put(self, grant: Grant) -> None:
        """Store a grant, in place of an earlier one of the name."""
        places = ", ".join(f"${number}" for number in range(1, len(COLUMNS) + 1))
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS[1:])
        await self._conn.execute(
            f"INSERT INTO oauth_grant ({', '.join(COLUMNS)}) VALUES ({places})"
            f" ON CONFLICT (name) DO UPDATE SET {changes}",
            *(getattr(grant, name) for name in COLUMNS),
        )

    async def claim(self, name: str, until: float) -> None:
        """Let one process alone renew a grant, `until` epoch seconds; 0 ends that."""
        await self._conn.execute(
            "UPDATE oauth_grant SET claimed_until = $2 WHERE name = $1", name, until
        )

    async def expire(self, name: str, at: float) -> None:
        """Let the access token end at `at`, epoch seconds, where it lasts longer."""
        await self._conn.execute(
            "UPDATE oauth_grant SET access_ends = $2 WHERE name = $1 AND access_ends > $2", name, at
        )

    async def forget(self, name: str) -> None:
        await self._conn.execute("DELETE FROM oauth_grant WHERE name = $1", name)


def _grant(row: Any) -> Grant:
    values = {name: row[name] for name in COLUMNS}
    return Grant(**{**values, "state": GrantState(values["state"])})
