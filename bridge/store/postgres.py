"""PostgreSQL: several processes, one writer at a time, notified of work by NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from mautrix.util.async_db import Database as AsyncDatabase

from bridge.config.settings import without_password
from bridge.model import BridgeError, Permanent, Transient
from bridge.store.connection import Connection
from bridge.store.jobs import FREED
from bridge.store.presence import CHANNEL, HELD, KEEPALIVE, Presence
from bridge.store.schema import migrate

MIGRATING, WRITING = 0x506F7374_00000001, 0x506F7374_00000002
"""Keys of our advisory locks: "Post" and a number."""
OUR_LOCKS = (
    "FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND datname = current_database()"
)
"""The end of a query on the advisory locks that are held in our database now."""
WITHOUT_LOCK = frozenset(
    {"lease", "heartbeat", "retry", "started", "account-health", "account-progress"}
)
"""Transactions that read and write only their own rows, and so need no exclusive lock."""
PATIENCE = 30_000
"""Milliseconds that a statement waits for a lock before its transaction fails."""
TRANSIENT_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,  # deadlocks
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)
REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


class Postgres:
    """Implements store.connection.Engine.

    Write transactions hold one advisory lock, like SQLite's BEGIN IMMEDIATE: the rows that a
    transaction read do not change until it commits, with any number of processes.
    """

    is_shared = True

    def __init__(self, db: AsyncDatabase, url: str) -> None:
        self._db, self._url = db, url
        self._presence: Presence | None = None
        self._name = ""

    @classmethod
    async def open(cls, url: str) -> Postgres:
        """Open, and migrate under a separate lock. Raises Permanent with the way to fix it."""
        settings = {
            "jit": "off",
            **KEEPALIVE,
            "lock_timeout": str(PATIENCE),
            # a process that hangs must not keep the writers' lock for ever
            "idle_in_transaction_session_timeout": str(2 * PATIENCE),
        }
        db = AsyncDatabase.create(
            url,
            db_args={
                "min_size": 1,
                "max_size": 12,
                "command_timeout": 120.0,
                "server_settings": settings,
                "meow_exit_on_ice": False,
            },
        )
        engine = cls(db, url)
        try:
            conn = await asyncpg.connect(url, timeout=20)
            try:
                await conn.execute("SELECT pg_advisory_lock($1)", MIGRATING)
                await db.start()
                await migrate(db, without_password(url))
            finally:
                await conn.close()
        except BaseException as error:
            with suppress(Exception):
                await engine.close()
            if isinstance(error, (*REFUSED, *TRANSIENT_ERRORS, asyncpg.PostgresError, ValueError)):
                why = str(error) or type(error).__name__
                raise Permanent(
                    f"{without_password(url)} cannot be opened: {why}. Check host, user, password"
                    " and that the database exists"
                ) from None
            raise
        return engine

    async def close(self) -> None:
        if self._presence is not None:
            await self._presence.close()
        await self._db.stop()

    @asynccontextmanager
    async def unit_of_work(self, name: str) -> AsyncIterator[Connection]:
        async with _translated(), self._db.acquire_direct() as conn, conn.wrapped.transaction():
            if name not in WITHOUT_LOCK:
                await conn.execute("SELECT pg_advisory_xact_lock($1)", WRITING)
            yield conn

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with _translated(), self._db.acquire_direct() as conn:
            yield conn

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        async with _translated(), self._db.acquire_direct() as conn:
            raw: Any = conn.wrapped
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                yield conn

    async def advance(self, conn: Connection, table: str, column: str, by: int) -> None:
        await conn.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"
            f" (SELECT COALESCE(MAX({column}), 0) FROM {table}) + $1 + 1, false)",
            by,
        )

    async def others(self, conn: Connection) -> int:
        return int(
            await conn.fetchval(
                f"SELECT COUNT(DISTINCT pid) {OUR_LOCKS} AND classid = $1"
                " AND pid <> ALL (SELECT pid FROM pg_locks WHERE classid = $1"
                "  AND objid::bigint = (hashtext($2)::bigint & 4294967295))",
                HELD,
                self._name,
            )
        )

    async def announce(self, conn: Connection) -> None:
        await conn.execute("SELECT pg_notify($1, '')", CHANNEL)

    def join(self, name: str, told: Callable[[], None]) -> None:
        self._name = name
        self._presence = Presence(self._url, name, told)

    async def claim(self, what: str) -> asyncio.Event:
        assert self._presence is not None
        return await self._presence.claim(what)

    def free_space(self) -> int | None:
        return None

    async def truncate_log(self) -> bool:
        return True

    async def free_jobs_of_dead_workers(self, conn: Connection) -> None:
        await conn.execute(
            f"UPDATE job SET {FREED} WHERE leased_by IS NOT NULL"
            f" AND NOT EXISTS (SELECT 1 {OUR_LOCKS} AND classid = $1"
            "  AND objid::bigint = (hashtext(leased_by)::bigint & 4294967295))",
            HELD,
        )


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except BridgeError:
        raise
    except TRANSIENT_ERRORS as error:
        what = str(error) or type(error).__name__
        raise Transient(f"the database does not answer: {what}") from error
