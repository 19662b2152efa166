"""A whole database into another one, of the same kind or not; and making a restored one safe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bridge.model import AUTOMATIC_NEXT, Permanent
from bridge.model.task import AfterRestore
from bridge.store.connection import Connection
from bridge.store.database import Database, Work
from bridge.store.words import listed

# Parents before children. The columns that SQLite keeps as 0 and 1 are named, for PostgreSQL.
TABLES: dict[str, tuple[str, ...]] = {
    "setting": (), "raw": (), "conversation": ("renamed", "vacated"), "intake": (),
    "participant": (),
    "override": ("present",), "pin": (), "mail": ("outbound",), "known_id": (), "awaited": (),
    "room": (), "member": (), "post": (), "file": ("done",), "event": (),
    "delivery": ("data_begun",), "recipient": (), "job": (), "mailbox_cursor": (),
    "fetch_failure": (), "account_check": (), "inbox": (), "agent": ("lead",), "audit": (),
    "away": (), "blocked": (), "seen": (), "snippet": (), "contact": (), "contact_address": (),
    "passage": (), "rule": (), "begun": (),
}  # fmt: skip
NUMBERED = (
    "job",
    "raw",
    "intake",
    "mail",
    "post",
    "delivery",
    "audit",
    "contact",
    "passage",
    "rule",
)
"""Tables whose `id` the database counts."""
DERIVED = frozenset({"words"})
"""Columns that PostgreSQL fills by itself."""
BATCH, BIG = 500, 20
"""Rows copied at once; fewer where a row can have megabytes."""
APART = 1_000_000
"""By how much new ids begin above restored ones: what was made after the backup is still known
outside, under ids that must not come again."""


async def copy(
    source: Database,
    target: Database,
    say: Callable[[str], None],
    then: Callable[[Work], Awaitable[int]] | None = None,
) -> tuple[int, int]:
    """Copy every row into an empty database; returns how many, and what `then` gave, which is
    done in the same transaction. Raises Permanent when the target holds something already."""
    rows = after = 0
    async with source.snapshot() as old, target.transaction("settings") as tx:
        if await tx.conn.fetchval("SELECT COUNT(*) FROM setting"):
            raise Permanent("the target database is not empty; give a new one")
        for table, booleans in TABLES.items():
            count = await _copy_table(old, tx.conn, table, booleans)
            say(f"{table}: {count}")
            rows += count
        for table in NUMBERED:
            await target.advance(tx.conn, table, "id", 0)
        if then is not None:
            after = await then(tx)
    return rows, after


async def _copy_table(
    old: Connection, new: Connection, table: str, booleans: tuple[str, ...]
) -> int:
    key = {"raw": "id", "delivery": "id"}.get(table)
    rows = await old.fetch(f"SELECT {key or '*'} FROM {table}{f' ORDER BY {key}' if key else ''}")
    size = BIG if key else BATCH
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        if key:  # with its bytes, a few at a time
            first, last = batch[0][key], batch[-1][key]
            batch = await old.fetch(
                f"SELECT * FROM {table} WHERE {key} BETWEEN $1 AND $2", first, last
            )
        names = list(batch[0].keys())
        columns = [name for name in names if name not in DERIVED]
        places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
        await new.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
            [tuple(_value(row, name, booleans) for name in columns) for row in batch],
        )
    return len(rows)


def _value(row: Any, name: str, booleans: tuple[str, ...]) -> Any:
    value = row[name]
    return bool(value) if name in booleans else value


async def make_safe(tx: Work, database: Database, now: float) -> int:
    """Part of a restore: nothing that may have left since the backup leaves again, and no id comes
    twice. Returns how many mails have to be asked about."""
    conn = tx.conn
    asked = await conn.fetch(
        "UPDATE delivery SET state = 'unknown', detail = 'a backup was restored'"
        f" WHERE state IN ({listed(AUTOMATIC_NEXT)}) RETURNING id"
    )
    for row in asked:
        await conn.execute(
            "UPDATE recipient SET fate = 'unknown' WHERE delivery = $1"
            " AND fate IN ('pending', 'deferred')",
            row["id"],
        )
    await conn.execute("DELETE FROM job WHERE kind IN ('deliver', 'test')")
    # edits made since then had the versions that would come next
    await conn.execute(
        "UPDATE post SET version = version + $1, sent = sent + $1 WHERE sent > 0", APART
    )
    # a job that was tried before looks for what it may have done
    await conn.execute("UPDATE job SET leases = leases + 1, leased_by = NULL, leased_until = NULL")
    for table in NUMBERED:
        await database.advance(conn, table, "id", APART)
    highest = int(await conn.fetchval("SELECT COALESCE(MAX(number), 0) FROM conversation"))
    await tx.settings.set_value("first-number", str((highest // 1000 + 1) * 1000 + 1))
    await tx.settings.set_value("restored-at", str(now))
    await tx.jobs.add(AfterRestore(asked=tuple(row["id"] for row in asked)), "setup")
    return len(asked)
