"""Statements on a connection of SQLite: in the event loop's own thread, where one takes a sixth of
what a hop into another thread costs, or in a thread, where it may take long."""

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
"""Seconds of processor time after which a statement is run in a thread from then on."""
LARGE = 1_000_000
"""Bytes or characters of a value with which a statement is run in a thread."""
STATEMENTS = 512
"""Prepared statements that are kept."""
OPENING = 30.0
"""Seconds for which another program may lock the file while it is opened."""


def connect(path: str, *settings: str, patience: float) -> sqlite3.Connection:
    """A connection in which nothing begins a transaction by itself.

    `patience`: the seconds for which a statement waits while another program locks the file, as one
    does that opens it after a crash; 0 where it must not wait. Opening waits longer.
    """
    sqlite = sqlite3.connect(
        path, timeout=OPENING, isolation_level=None, check_same_thread=False,
        cached_statements=STATEMENTS,
    )  # fmt: skip
    sqlite.row_factory = sqlite3.Row
    for setting in (*settings, f"busy_timeout = {patience * 1000:.0f}"):
        sqlite.execute(f"PRAGMA {setting}")
    return sqlite


class Apart:
    """A connection of SQLite with a thread of its own, for what may take long."""

    def __init__(self, sqlite: sqlite3.Connection) -> None:
        self.sqlite = sqlite
        self._thread = ThreadPoolExecutor(1)

    async def run(self, query: str, *args: Any) -> list[Any]:
        """The rows of one statement. Who is cancelled meanwhile waits for its end: the connection
        is its until then."""
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
        """Waits for a statement that still runs."""
        self._thread.shutdown()
        self.sqlite.close()


class SqliteConnection:
    """Implements store.connection.Connection."""

    def __init__(self, here: sqlite3.Connection, apart: Apart, long: set[str]) -> None:
        """`long` holds the statements that took long before: they are run `apart`."""
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
            return await self._apart.run(query, *args)  # which waits for the lock
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


@lru_cache(STATEMENTS)
def _numbered(query: str) -> str:
    """With SQLite's ?1 for PostgreSQL's $1."""
    return POSITIONAL.sub(r"?\1", query)


def _is_large(value: object) -> bool:
    return isinstance(value, str | bytes | bytearray | memoryview) and len(value) > LARGE
