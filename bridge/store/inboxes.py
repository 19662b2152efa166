"""Inboxes and domains set up by chat, leads named by chat, and the audit log of admins' changes."""

from __future__ import annotations

import json
from typing import Any

from bridge.model import InboxId, Mxid
from bridge.model.oversight import AuditEntry, InboxState, StoredDomain, StoredInbox
from bridge.store.connection import Connection


class Inboxes:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def all(self) -> list[StoredInbox]:
        rows = await self._conn.fetch("SELECT * FROM inbox ORDER BY id")
        return [_stored(row) for row in rows]

    async def get(self, inbox: InboxId) -> StoredInbox | None:
        row = await self._conn.fetchrow("SELECT * FROM inbox WHERE id = $1", inbox)
        return None if row is None else _stored(row)

    async def save(self, inbox: StoredInbox) -> None:
        await self._conn.execute(
            "INSERT INTO inbox (id, state, settings, secrets, changed_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET state = $2,"
            " settings = $3, secrets = $4, changed_at = $5",
            inbox.id,
            inbox.state,
            json.dumps(dict(inbox.values)),
            json.dumps(dict(inbox.secrets)),
            inbox.changed_at,
        )

    async def discard(self, inbox: InboxId) -> None:
        """Delete an inbox that was never live."""
        await self._conn.execute("DELETE FROM inbox WHERE id = $1", inbox)

    async def leads(self, inbox: InboxId) -> dict[Mxid, bool]:
        """Agents named by chat, and whether each is a lead."""
        rows = await self._conn.fetch("SELECT mxid, lead FROM agent WHERE inbox = $1", inbox)
        return {Mxid(row["mxid"]): bool(row["lead"]) for row in rows}

    async def set_lead(self, inbox: InboxId, mxid: Mxid, lead: bool) -> None:
        await self._conn.execute(
            "INSERT INTO agent (inbox, mxid, lead) VALUES ($1, $2, $3)"
            " ON CONFLICT (inbox, mxid) DO UPDATE SET lead = $3",
            inbox,
            mxid,
            lead,
        )


class Domains:
    """Domains whose inboxes share settings."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def all(self) -> list[StoredDomain]:
        return [
            StoredDomain(
                name=row["name"],
                values=json.loads(row["settings"]),
                secrets=json.loads(row["secrets"]),
                changed_at=row["changed_at"],
            )
            for row in await self._conn.fetch("SELECT * FROM domain ORDER BY name")
        ]

    async def save(self, domain: StoredDomain) -> None:
        await self._conn.execute(
            "INSERT INTO domain (name, settings, secrets, changed_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (name) DO UPDATE SET settings = $2, secrets = $3, changed_at = $4",
            domain.name,
            json.dumps(dict(domain.values)),
            json.dumps(dict(domain.secrets)),
            domain.changed_at,
        )

    async def discard(self, name: str) -> None:
        await self._conn.execute("DELETE FROM domain WHERE name = $1", name)


class Audit:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def add(self, at: float, who: Mxid, what: str) -> None:
        await self._conn.execute(
            "INSERT INTO audit (at, who, what) VALUES ($1, $2, $3)", at, who, what
        )

    async def last(self, count: int) -> list[AuditEntry]:
        """The newest audit entries, newest first."""
        rows = await self._conn.fetch(
            "SELECT at, who, what FROM audit ORDER BY id DESC LIMIT $1", count
        )
        return [AuditEntry(row["at"], Mxid(row["who"]), row["what"]) for row in rows]


def _stored(row: Any) -> StoredInbox:
    return StoredInbox(
        id=InboxId(row["id"]),
        state=InboxState(row["state"]),
        values=json.loads(row["settings"]),
        secrets=json.loads(row["secrets"]),
        changed_at=row["changed_at"],
    )
