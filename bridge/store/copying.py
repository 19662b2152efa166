"""Copies a whole database into another one, of the same kind or not; makes a restored one safe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bridge.model import AUTOMATIC_NEXT, Permanent
from bridge.model.admin_task import AfterRestore
from bridge.store.connection import Connection
from bridge.store.database import Database, Work
from bridge.store.words import listed

# Parents before children, each with its boolean columns: SQLite stores those as 0 and 1.
TABLES: dict[str, tuple[str, ...]] = {
    "setting": (), "raw": (), "conversation": ("renamed", "vacated"), "intake": (),
    "participant": (),
    "override": ("present",), "pin": (), "mail": ("outbound",), "known_id": (), "awaited": (),
    "room": (), "member": (), "post": (), "file": ("done",), "event": (),
    "delivery": ("data_begun",), "recipient": (), "job": (), "mailbox_cursor": (),
    "held_mail": ("is_reported",), "account_check": (), "sending_problem": ("is_told",),
    "oauth_grant": (), "inbox": (), "domain": (), "agent": ("lead",),
    "audit": (), "away": (), "blocked": (), "seen": (), "snippet": (), "contact": (),
    "contact_address": (),
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
"""Tables whose `id` the database generates."""
DERIVED = frozenset({"words"})
"""Columns that PostgreSQL generates and that are not copied."""
BATCH, BIG = 500, 20
"""Rows copied at once; BIG for tables whose rows can have megabytes."""
APART = 1_000_000
"""How far above restored ids new ids start: ids given after the backup are still known outside (to
the homeserver, mail servers) and must not be used again."""


async def copy(
    source: Database,
    target: Database,
    say: Callable[[str], None],
    then: Callable[[Work], Awaitable[int]] | None = None,
) -> tuple[int, int]:
    """Copy every row into an empty database, then run `then` in the same transaction. Returns (rows
    copied, result of `then`). Raises Permanent when the target is not empty."""
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
        if key:  # only the ids were read so far: read the rows with their bytes, a few at a time
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
    """Part of a restore: make sure that no mail that may have been sent since the backup is sent
    again, and that no id is used twice. Returns how many mails a person has to confirm."""
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
    # edits made since the backup used the next versions in their transaction ids
    await conn.execute(
        "UPDATE post SET version = version + $1, sent = sent + $1 WHERE sent > 0", APART
    )
    # a job counted as a repeat first looks for the effects of an earlier attempt
    await conn.execute("UPDATE job SET leases = leases + 1, leased_by = NULL, leased_until = NULL")
    for table in NUMBERED:
        await database.advance(conn, table, "id", APART)
    highest = int(await conn.fetchval("SELECT COALESCE(MAX(number), 0) FROM conversation"))
    await tx.settings.set_value("first-number", str((highest // 1000 + 1) * 1000 + 1))
    await tx.settings.set_value("restored-at", str(now))
    await tx.jobs.add(AfterRestore(asked=tuple(row["id"] for row in asked)), "setup")
    return len(asked)
