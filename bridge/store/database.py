"""The database: opening, the one transaction, and what the two kinds of SQL do differently."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import structlog
from mautrix.util.async_db import Connection as LoggingConnection
from mautrix.util.async_db import Database as AsyncDatabase
from mautrix.util.async_db import Scheme, UnsupportedDatabaseVersion

from bridge import failpoint
from bridge.model import BridgeError, Permanent, Transient
from bridge.store.connection import Connection, SqliteConnection
from bridge.store.conversations import Conversations
from bridge.store.deliveries import Deliveries
from bridge.store.events import Events
from bridge.store.jobs import Jobs
from bridge.store.keep import Keep
from bridge.store.mails import Mails
from bridge.store.posts import Posts
from bridge.store.rooms import Rooms
from bridge.store.schema import upgrades

log = structlog.get_logger("store")

# A disk or lock problem passes; "no such column" does not.
PASSING = ("locked", "busy", "full", "disk i/o", "readonly", "unable to open", "no space")


class Work:
    """One unit of work: the tables, over one connection."""

    def __init__(self, conn: Connection, scheme: Scheme) -> None:
        self.jobs = Jobs(conn, scheme)
        self.mails = Mails(conn)
        self.conversations = Conversations(conn)
        self.posts = Posts(conn, self.jobs)
        self.rooms = Rooms(conn)
        self.deliveries = Deliveries(conn)
        self.events = Events(conn, self.jobs)
        self.keep = Keep(conn)


class Database:
    """The store behind ports.Store."""

    def __init__(self, db: AsyncDatabase, lock: IO[str] | None) -> None:
        self._db = db
        self._lock = lock
        self.on_jobs: Callable[[], None] = lambda: None

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open and migrate. Raises Permanent when it is newer than we are, or held by another."""
        lock = _own(Path(url.removeprefix("sqlite:"))) if url.startswith("sqlite:") else None
        db = AsyncDatabase.create(
            url.replace("sqlite:", "sqlite://", 1) if lock else url,
            upgrade_table=upgrades,
            # mautrix would add synchronous = NORMAL, which may lose the last commits of a crash
            db_args={"init_commands": ["PRAGMA synchronous = FULL"]} if lock else {},
        )
        try:
            await db.start()
        except UnsupportedDatabaseVersion as error:
            await db.stop()
            if lock is not None:
                lock.close()
            raise Permanent(
                f"{url} was written by a newer Postroom: {error}. Install that version, or restore"
                " a backup"
            ) from error
        return cls(db, lock)

    async def close(self) -> None:
        await self._db.stop()
        if self._lock is not None:
            self._lock.close()

    def _work(self, conn: LoggingConnection) -> Work:
        return Work(SqliteConnection(conn) if self.is_sqlite else conn, self._db.scheme)

    @property
    def is_sqlite(self) -> bool:
        return self._db.scheme == Scheme.SQLITE

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[Work]:
        """One unit of work that commits whole or not at all.

        No network call and no new task belongs inside: SQLite has one connection. Raises
        Transient where the disk or a lock is the problem. `name` is a commit of failpoint.py.
        """
        async with _translated(), self._db.acquire_direct() as conn:
            work = self._work(conn)
            if not self.is_sqlite:
                async with conn.transaction():  # type: ignore[attr-defined]  # mautrix annotates it as a coroutine
                    yield work
                    await failpoint.reach(f"{name}:before")
            else:
                # acquire() would hand this connection to any task made inside, and a cancelled
                # conn.transaction() would leave it in an open transaction for ever.
                try:
                    await conn.execute("BEGIN IMMEDIATE")
                    yield work
                    await failpoint.reach(f"{name}:before")
                    await conn.execute("COMMIT")
                except BaseException:
                    undo = asyncio.ensure_future(conn.execute("ROLLBACK"))
                    undo.add_done_callback(lambda t: t.cancelled() or t.exception())
                    await asyncio.sleep(0)  # ROLLBACK joins the connection's own queue
                    raise
        await failpoint.reach(f"{name}:after")
        if work.jobs.added:
            self.on_jobs()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Work]:
        """Read without a transaction; nothing may be written through it."""
        async with _translated(), self._db.acquire_direct() as conn:
            yield self._work(conn)

    async def pragma(self, name: str) -> str:
        """What SQLite says of a setting, for checks and tests."""
        async with self._db.acquire_direct() as conn:
            return str(await conn.fetchval(f"PRAGMA {name}"))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except BridgeError:
        raise
    except (sqlite3.OperationalError, OSError) as error:
        if not any(word in str(error).lower() for word in PASSING):
            raise
        raise Transient(f"the database cannot be written: {error}") from error


def _own(path: Path) -> IO[str]:
    """Hold the file lock that makes us the one process of this database.

    The kernel frees it when we die, so a start after a crash works at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = open(f"{path}.lock", "a+")  # noqa: SIM115 - held as long as the database is open
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "another process"
        lock.close()
        raise Permanent(f"{path} is in use by process {holder}; stop that one first") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
