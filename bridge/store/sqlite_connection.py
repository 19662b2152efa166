"""Runs SQLite statements: normally in the event loop's own thread, as switching to another thread
costs six times as much as a statement; those that may take long, in another thread."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import structlog

from bridge import metrics

log = structlog.get_logger("store")

POSITIONAL = re.compile(r"\$(\d+)")
LONG = 0.005
"""Seconds of processor time; a statement that took longer once is run in a thread from then on."""
LARGE = 1_000_000
"""Bytes or characters; a statement with a larger value is run in a thread."""
MAX_CACHED_STATEMENTS = 512
"""Prepared statements that SQLite caches."""
OPENING = 30.0
"""Seconds that opening the file waits while another program locks it."""


def connect(path: str, *settings: str, patience: float) -> sqlite3.Connection:
    """Open a connection in autocommit mode, with the given PRAGMA settings.

    `patience`: seconds that a statement waits while another program locks the file, for example to
    recover it after a crash; 0 where it must not wait. Opening waits longer (OPENING).
    """
    sqlite = sqlite3.connect(
        path, timeout=OPENING, isolation_level=None, check_same_thread=False,
        cached_statements=MAX_CACHED_STATEMENTS,
    )  # fmt: skip
    sqlite.row_factory = sqlite3.Row
    for setting in (*settings, f"busy_timeout = {patience * 1000:.0f}"):
        sqlite.execute(f"PRAGMA {setting}")
    return sqlite


class ThreadedConnection:
    """A SQLite connection with a thread of its own, for statements that may take long."""

    def __init__(self, sqlite: sqlite3.Connection) -> None:
        self.sqlite = sqlite
        self._thread = ThreadPoolExecutor(1)

    async def run(self, query: str, *args: Any) -> list[Any]:
        """The rows of one statement. A cancelled caller still waits for its end, as the statement
        uses the connection until then."""
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._thread, run, self.sqlite, query, args)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({running})
            raise

    def close(self) -> None:
        """Close the connection, after the statement that still runs."""
        self._thread.shutdown()
        self.sqlite.close()


class SqliteConnection:
    """Implements store.connection.Connection."""

    def __init__(self, here: sqlite3.Connection, apart: ThreadedConnection, long: set[str]) -> None:
        """`long`: the statements that took long before, which are run in the thread of `apart`."""
        self._here, self._apart, self._long = here, apart, long

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        if query in self._long or any(map(_is_large, args)):
            return await self._apart.run(query, *args)
        began = time.thread_time()
        try:
            rows = run(self._here, query, args)
        except sqlite3.OperationalError as error:
            is_locked = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            if not is_locked or self._here is self._apart.sqlite:
                raise
            return await self._apart.run(query, *args)  # this connection waits for the lock
        if (took := time.thread_time() - began) > LONG:
            self._long.add(query)
            metrics.long_statements.inc()
            log.info("a statement took long", seconds=round(took, 3), statement=query[:200])
        return rows

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


def run(sqlite: sqlite3.Connection, query: str, args: Sequence[Any]) -> list[Any]:
    """The rows of one statement."""
    return sqlite.execute(_numbered(query), args).fetchall()


@lru_cache(MAX_CACHED_STATEMENTS)
def _numbered(query: str) -> str:
    """The query with SQLite's ?1 in place of PostgreSQL's $1."""
    return POSITIONAL.sub(r"?\1", query)


def _is_large(value: object) -> bool:
    return isinstance(value, str | bytes | bytearray | memoryview) and len(value) > LARGE
