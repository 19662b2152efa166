"""Protocols: the database connection that the tables use, and the engine (SQLite, PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Connection(Protocol):
    """Runs statements with PostgreSQL's $1, $2, …; rows can be read by column name."""

    async def execute(self, query: str, *args: Any) -> Any: ...
    async def executemany(self, query: str, args: Sequence[Sequence[Any]]) -> Any: ...
    async def fetch(self, query: str, *args: Any) -> list[Any]: ...
    async def fetchrow(self, query: str, *args: Any) -> Any: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...


class Engine(Protocol):
    """The operations that differ between SQLite and PostgreSQL. Passing errors raise Transient."""

    is_shared: bool
    """Whether other processes may use the same database at the same time."""

    def unit_of_work(self, name: str) -> AbstractAsyncContextManager[Connection]:
        """One write transaction; no other write transaction runs while it is open."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Connection]: ...
    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        """A read transaction that sees the database as of one moment, however long it takes."""
        ...

    async def advance(self, conn: Connection, table: str, column: str, by: int) -> None:
        """Let the ids that the database generates next start `by` above the highest so far."""
        ...

    async def others(self, conn: Connection) -> int:
        """The number of other processes that use this database now."""
        ...

    async def announce(self, conn: Connection) -> None:
        """Tell the other processes of new jobs when this transaction commits."""
        ...

    def join(self, name: str, told: Callable[[], None]) -> None:
        """Register this process under its name; `told` is called when another process announces
        new jobs."""
        ...

    async def claim(self, what: str) -> asyncio.Event:
        """Wait until this process holds the lock `what`; the event is set when it loses it."""
        ...

    async def free_jobs_of_dead_workers(self, conn: Connection) -> None:
        """Free the jobs leased by processes that do not exist any more."""
        ...

    async def truncate_log(self) -> bool:
        """Empty the write-ahead log, so that erased data is in no file any more. False while it is
        still being read. PostgreSQL needs nothing: it reuses its log by itself."""
        ...

    def free_space(self) -> int | None:
        """Bytes left on the database's disk; None where it may be on another machine."""
        ...

    async def close(self) -> None: ...
