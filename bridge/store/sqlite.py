"""SQLite: one process, with one connection for writing and others for reading."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import structlog
from mautrix.util.async_db import Database as AsyncDatabase

from bridge.model import BridgeError, Permanent, Transient
from bridge.store.connection import Connection
from bridge.store.jobs import FREED
from bridge.store.schema import migrate
from bridge.store.sqlite_connection import SqliteConnection, ThreadedConnection, connect

log = structlog.get_logger("store")

# Errors with these words are about the disk or a lock and may pass, unlike "no such column".
TRANSIENT_ERRORS = ("locked", "busy", "full", "disk i/o", "readonly", "unable to open", "no space")
SETTINGS = (
    "journal_mode = WAL",
    "foreign_keys = ON",
    # NORMAL may lose the last commits in a crash
    "synchronous = FULL",
    # erased data must not stay in free pages
    "secure_delete = ON",
)
PATIENCE, AGAIN = 5.0, 0.05
"""Seconds that we wait while another program locks the file, and seconds between tries."""


class Sqlite:
    """Implements store.connection.Engine for one file."""

    is_shared = False

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self._path, self._lock = path, lock
        self._writer = ThreadedConnection(connect(str(path), *SETTINGS, patience=0))
        self._reader, self._searcher = self._only_reads(0), self._only_reads(PATIENCE)
        self._alone = asyncio.Lock()
        """Held by the one transaction that writes."""
        self._long: set[str] = set()

    @classmethod
    async def open(cls, url: str) -> Sqlite:
        """Open and migrate. Raises Permanent when the file is from a newer Postroom, or in use by
        another process."""
        path = _path(url)
        lock = _own(path)
        try:
            engine = cls(path, lock)
        except BaseException:
            lock.close()
            raise
        try:
            await engine._migrate(url)
        except BaseException:
            await engine.close()
            raise
        return engine

    async def _migrate(self, url: str) -> None:
        address = f"sqlite{self._path.as_uri().removeprefix('file')}"  # a path may hold # and %
        settings = [f"PRAGMA {setting}" for setting in SETTINGS]
        db = AsyncDatabase.create(address, db_args={"init_commands": settings})
        try:
            await db.start()
            await migrate(db, url)
        finally:
            await db.stop()

    def _only_reads(self, patience: float) -> ThreadedConnection:
        return ThreadedConnection(
            connect(str(self._path), *SETTINGS, "query_only = ON", patience=patience)
        )

    async def close(self) -> None:
        for connection in (self._searcher, self._reader, self._writer):
            await asyncio.to_thread(connection.close)
        self._lock.close()

    @asynccontextmanager
    async def unit_of_work(self, name: str) -> AsyncIterator[Connection]:
        async with _translated(), self._alone:
            sqlite = self._writer.sqlite
            await self._begin(sqlite)
            try:
                yield SqliteConnection(sqlite, self._writer, self._long)
                await self._writer.run("COMMIT")
            except BaseException:
                if sqlite.in_transaction:  # on a full disk SQLite rolls back by itself
                    sqlite.execute("ROLLBACK")
                raise

    async def _begin(self, sqlite: sqlite3.Connection) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                sqlite.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(AGAIN)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with _translated():
            yield SqliteConnection(self._reader.sqlite, self._searcher, self._long)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        own = self._only_reads(PATIENCE)
        try:
            async with _translated():
                await own.run("BEGIN")
                yield SqliteConnection(own.sqlite, own, self._long)
        finally:
            own.close()

    async def advance(self, conn: Connection, table: str, column: str, by: int) -> None:
        highest = await conn.fetchval(f"SELECT COALESCE(MAX({column}), 0) FROM {table}")
        await conn.execute("DELETE FROM sqlite_sequence WHERE name = $1", table)
        await conn.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", table, highest + by
        )

    def free_space(self) -> int | None:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    async def truncate_log(self) -> bool:
        async with _translated(), self._alone:
            busy, _, _ = (await self._writer.run("PRAGMA wal_checkpoint(TRUNCATE)"))[0]
        return bool(busy == 0)

    async def others(self, conn: Connection) -> int:
        return 0  # the file lock keeps other processes out

    async def announce(self, conn: Connection) -> None:
        """Does nothing: there is no other process to tell."""

    def join(self, name: str, told: Callable[[], None]) -> None:
        """Does nothing: there is no other process."""

    async def claim(self, what: str) -> asyncio.Event:
        return asyncio.Event()  # never set: the file lock is ours until we end

    async def free_jobs_of_dead_workers(self, conn: Connection) -> None:
        await conn.execute(f"UPDATE job SET {FREED} WHERE leased_by IS NOT NULL")


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except BridgeError:
        raise
    except (sqlite3.OperationalError, OSError) as error:
        if not any(word in str(error).lower() for word in TRANSIENT_ERRORS):
            raise
        raise Transient(f"the database cannot be written: {error}") from error


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:")).absolute()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _keep_private(path: Path) -> None:
    """Make a database and the files beside it readable only by their owner, with any umask: SQLite
    creates files beside the database with the database's mode."""
    os.close(_private(str(path), os.O_RDWR | os.O_CREAT))
    for suffix in ("", "-wal", "-shm", "-journal", ".lock"):
        try:
            os.chmod(f"{path}{suffix}", 0o600)
        except FileNotFoundError:
            continue
        except OSError as error:  # owned by another user, or on a file system without modes
            log.warning("others may read the database", file=f"{path}{suffix}", error=str(error))


def _own(path: Path) -> IO[str]:
    """Take the file lock that makes us the only process of this database. Raises Permanent where
    another process has it.

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
