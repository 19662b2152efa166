"""SQLite: one process, one connection, one thread hop a statement."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import structlog
from mautrix.util.async_db import Connection as LoggingConnection
from mautrix.util.async_db import Database as AsyncDatabase

from bridge.model import BridgeError, Permanent, Transient
from bridge.store.connection import Connection
from bridge.store.jobs import FREED
from bridge.store.schema import migrate

log = structlog.get_logger("store")

POSITIONAL = re.compile(r"\$(\d+)")
# A disk or lock problem passes; "no such column" does not.
PASSING = ("locked", "busy", "full", "disk i/o", "readonly", "unable to open", "no space")
INIT = (
    # mautrix would add synchronous = NORMAL, which may lose the last commits of a crash
    "PRAGMA synchronous = FULL",
    # what is erased shall not linger in free pages
    "PRAGMA secure_delete = ON",
)


class SqliteConnection:
    """mautrix's connection hops into SQLite's thread three times for each fetch: execute, read,
    close. This does all three in one hop, which makes a mail's transaction half as long."""

    def __init__(self, conn: LoggingConnection) -> None:
        self._sqlite: Any = conn.wrapped

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        return list(await self._sqlite.execute_fetchall(POSITIONAL.sub(r"?\1", query), args))

    async def execute(self, query: str, *args: Any) -> None:
        await self.fetch(query, *args)

    async def executemany(self, query: str, args: Sequence[Sequence[Any]]) -> None:
        for each in args:
            await self.fetch(query, *each)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        rows = await self.fetch(query, *args)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: Any) -> Any:
        row = await self.fetchrow(query, *args)
        return None if row is None else row[0]


class Sqlite:
    """Implements store.connection.Engine for one file."""

    is_shared = False

    def __init__(self, db: AsyncDatabase, lock: IO[str], folder: Path) -> None:
        self._db, self._lock, self._folder = db, lock, folder

    @classmethod
    async def open(cls, url: str) -> Sqlite:
        """Open and migrate. Raises Permanent when it is newer than we are, or held by another."""
        path = Path(url.removeprefix("sqlite:"))
        lock = _own(path)
        db = AsyncDatabase.create(
            url.replace("sqlite:", "sqlite://", 1), db_args={"init_commands": list(INIT)}
        )
        engine = cls(db, lock, path.parent)
        try:
            await db.start()
            await migrate(db, url)
        except BaseException:
            await engine.close()
            raise
        return engine

    async def close(self) -> None:
        await self._db.stop()
        self._lock.close()

    @asynccontextmanager
    async def unit(self, name: str) -> AsyncIterator[Connection]:
        # acquire() would hand this connection to any task made inside, and a cancelled
        # conn.transaction() would leave it in an open transaction for ever.
        async with _translated(), self._db.acquire_direct() as conn:
            try:
                await conn.execute("BEGIN IMMEDIATE")
                yield SqliteConnection(conn)
                await conn.execute("COMMIT")
            except BaseException:
                undo = asyncio.ensure_future(conn.execute("ROLLBACK"))
                undo.add_done_callback(lambda t: t.cancelled() or t.exception())
                await asyncio.sleep(0)  # ROLLBACK joins the connection's own queue
                raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with _translated(), self._db.acquire_direct() as conn:
            yield SqliteConnection(conn)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        async with self.reading() as conn:  # the one connection: nobody writes meanwhile
            yield conn

    async def advance(self, conn: Connection, table: str, column: str, by: int) -> None:
        highest = await conn.fetchval(f"SELECT COALESCE(MAX({column}), 0) FROM {table}")
        await conn.execute("DELETE FROM sqlite_sequence WHERE name = $1", table)
        await conn.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", table, highest + by
        )

    def free_space(self) -> int | None:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize

    async def truncate_log(self) -> bool:
        async with self.reading() as conn:
            row = await conn.fetchrow("PRAGMA wal_checkpoint(TRUNCATE)")
        return bool(row[0] == 0)

    async def others(self, conn: Connection) -> int:
        return 0  # the file lock keeps them out

    async def announce(self, conn: Connection) -> None:
        """There is nobody else to tell."""

    def join(self, name: str, told: Callable[[], None]) -> None:
        """We are the only one: nobody else tells anything."""

    async def claim(self, what: str) -> asyncio.Event:
        return asyncio.Event()  # the file lock made everything ours, until we end

    async def free_the_dead(self, conn: Connection) -> None:
        await conn.execute(f"UPDATE job SET {FREED} WHERE leased_by IS NOT NULL")


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


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _keep_private(path: Path) -> None:
    """Let the owner alone read a database and the files beside it, whatever the umask: SQLite gives
    those it makes the mode of the database."""
    os.close(_private(str(path), os.O_RDWR | os.O_CREAT))
    for suffix in ("", "-wal", "-shm", "-journal", ".lock"):
        try:
            os.chmod(f"{path}{suffix}", 0o600)
        except FileNotFoundError:
            continue
        except OSError as error:  # another user's, or on a share that knows no modes
            log.warning("others may read the database", file=f"{path}{suffix}", error=str(error))


def _own(path: Path) -> IO[str]:
    """Hold the file lock that makes us the one process of this database.

    The kernel frees it when we die, so a start after a crash works at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _keep_private(path)
    lock = open(f"{path}.lock", "a+", opener=_private)  # noqa: SIM115 - held as long as the database is open
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
