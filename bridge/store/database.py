"""The database: opening it, its transactions, and the tables they give access to."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bridge import failpoint
from bridge.model import Permanent
from bridge.store.agents import Agents
from bridge.store.begun import RecentStarts
from bridge.store.blocked import Blocked
from bridge.store.connection import Connection, Engine
from bridge.store.contacts import Contacts
from bridge.store.conversations import Conversations
from bridge.store.deliveries import Deliveries
from bridge.store.erasing import Erasing
from bridge.store.events import Events
from bridge.store.grants import Grants
from bridge.store.held import HeldMails
from bridge.store.inboxes import Audit, Domains, Inboxes
from bridge.store.jobs import Jobs
from bridge.store.mails import Mails
from bridge.store.numbers import ReportCounts
from bridge.store.passages import Passages
from bridge.store.pins import Pins
from bridge.store.posts import Posts
from bridge.store.rooms import Rooms
from bridge.store.rules import Rules
from bridge.store.sending import SendingProblems
from bridge.store.settings import StoredSettings
from bridge.store.snippets import Snippets
from bridge.store.sqlite import Sqlite


class Work:
    """One unit of work: all tables, over one connection."""

    def __init__(self, conn: Connection, now: Callable[[], float], *, shared: bool) -> None:
        self.conn = conn
        self.jobs = Jobs(conn, now, shared=shared)
        self.mails = Mails(conn)
        self.conversations = Conversations(conn)
        self.begun = RecentStarts(conn)
        self.pins = Pins(conn)
        self.contacts = Contacts(conn)
        self.passages = Passages(conn, postgres=shared)
        self.numbers = ReportCounts(conn)
        self.rules = Rules(conn)
        self.snippets = Snippets(conn)
        self.posts = Posts(conn, self.jobs)
        self.rooms = Rooms(conn)
        self.agents = Agents(conn)
        self.blocked = Blocked(conn)
        self.held = HeldMails(conn)
        self.deliveries = Deliveries(conn)
        self.sending = SendingProblems(conn)
        self.events = Events(conn, self.jobs)
        self.settings = StoredSettings(conn)
        self.grants = Grants(conn)
        self.inboxes = Inboxes(conn)
        self.domains = Domains(conn)
        self.audit = Audit(conn)
        self.erasing = Erasing(conn)


class Database:
    """The store behind ports.Store."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        """`now` returns epoch seconds, which decide what jobs are due."""
        self._engine, self.now = engine, now
        self.name = f"worker-{secrets.token_hex(4)}"
        """The name of this process, to tell it from others on the same database."""
        self.on_jobs: Callable[[], None] = lambda: None
        engine.join(self.name, lambda: self.on_jobs())

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open and migrate `sqlite:FILE` or `postgres://…`. Raises Permanent with the way to fix
        it."""
        if url.startswith("sqlite:"):
            return cls(await Sqlite.open(url))
        try:
            from bridge.store.postgres import Postgres
        except ImportError as error:
            raise Permanent(
                "database: postgres://… needs asyncpg: pip install 'postroom[postgres]'"
            ) from error
        return cls(await Postgres.open(url))

    async def close(self) -> None:
        await self._engine.close()

    @property
    def is_shared(self) -> bool:
        """Whether other processes may use the same database at the same time."""
        return self._engine.is_shared

    async def run_exclusively(
        self, what: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Run `work` in only one process at a time: waits for the lock `what`, then runs it; starts
        over when the lock is lost."""
        while True:
            lost = await self._engine.claim(what)
            working, losing = asyncio.create_task(work()), asyncio.create_task(lost.wait())
            try:
                await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    return working.result()
            finally:
                for task in (working, losing):
                    task.cancel()
                await asyncio.gather(working, losing, return_exceptions=True)

    async def register_process(self) -> None:
        """At every start: show that this process is alive, and free the jobs of dead processes,
        which otherwise wait until their leases end."""
        await self._engine.claim(self.name)
        async with self.transaction("started") as tx:
            await self._engine.free_jobs_of_dead_workers(tx.conn)

    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees everything as of one moment."""
        return self._engine.snapshot()

    async def advance(self, conn: Connection, table: str, column: str, by: int) -> None:
        """Let the ids that the database generates next start `by` above the highest so far."""
        await self._engine.advance(conn, table, column, by)

    async def truncate_log(self) -> bool:
        """Empty the write-ahead log. False while it is still being read."""
        return await self._engine.truncate_log()

    def free_space(self) -> int | None:
        """Bytes left on the database's disk; None where it may be on another machine."""
        return self._engine.free_space()

    async def others(self) -> int:
        """The number of other processes that use this database now."""
        async with self._engine.reading() as conn:
            return await self._engine.others(conn)

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[Work]:
        """One write transaction, which commits completely or not at all.

        Make no network call and start no task inside: all other write transactions wait for its
        end. Raises Transient where the disk, the server or a lock is the problem. `name` is a key
        of failpoint.COMMITS.
        """
        async with self._engine.unit_of_work(name) as conn:
            work = Work(conn, self.now, shared=self.is_shared)
            yield work
            if work.jobs.added:
                await self._engine.announce(conn)
            await failpoint.reach(f"{name}:before")
        await failpoint.reach(f"{name}:after")
        if work.jobs.added:
            self.on_jobs()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Work]:
        """A connection for reading, without a transaction; do not write through it."""
        async with self._engine.reading() as conn:
            yield Work(conn, self.now, shared=self.is_shared)
