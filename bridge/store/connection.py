"""What the tables need of a connection, and the store of an engine, as Protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Connection(Protocol):
    """Statements with PostgreSQL's $1, $2, …; rows can be read by column name."""

    async def execute(self, query: str, *args: Any) -> Any: ...
    async def executemany(self, query: str, args: Sequence[Sequence[Any]]) -> Any: ...
    async def fetch(self, query: str, *args: Any) -> list[Any]: ...
    async def fetchrow(self, query: str, *args: Any) -> Any: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...


class Engine(Protocol):
    """What the two kinds of SQL do differently. Errors that pass come as Transient."""

    is_shared: bool
    """Whether other processes may use the same database."""

    def unit(self, name: str) -> AbstractAsyncContextManager[Connection]:
        """One transaction; nobody else decides anything while it is open."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Connection]: ...
    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        """Reading in which everything is of one moment, however long it takes."""
        ...

    async def advance(self, conn: Connection, table: str, column: str, by: int) -> None:
        """Let the numbers a table gives next begin `by` above the highest so far."""
        ...

    async def others(self, conn: Connection) -> int:
        """How many other processes use this database now."""
        ...

    async def announce(self, conn: Connection) -> None:
        """Have the other processes told, when this transaction commits, that there is work."""
        ...

    def join(self, name: str, told: Callable[[], None]) -> None:
        """Be one of the processes, under a name of our own; `told` is called when another one
        announces something."""
        ...

    async def claim(self, what: str) -> asyncio.Event:
        """Wait until `what` is ours alone; the event is set when it no longer is."""
        ...

    async def free_the_dead(self, conn: Connection) -> None:
        """Give back the jobs leased by processes that are no more."""
        ...

    async def truncate_log(self) -> bool:
        """Empty the log of what was written, so that what was erased is in no file any more. False
        while somebody still reads from it. PostgreSQL reuses its log by itself."""
        ...

    def free_space(self) -> int | None:
        """Bytes left on the disk; None where that is not ours to know."""
        ...

    async def close(self) -> None: ...
