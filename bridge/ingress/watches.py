"""Runs one source for each mail account; starts and stops sources when inboxes change."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import structlog

from bridge.config.inbox import Inbox
from bridge.desk.admin import status
from bridge.desk.desk import Desk
from bridge.desk.team import setup
from bridge.ingress.kinds import KINDS
from bridge.ingress.source import SourceContext
from bridge.ports import Credentials, Store

log = structlog.get_logger("watches")

LOOK = 2.0
"""Seconds between checks for changes by another process."""


class SharedStore(Store, Protocol):
    """A database that several processes may share."""

    async def run_exclusively(
        self, what: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Run `work` in one process at a time."""
        ...


class Watches:
    """Follows the directory of inboxes: requests their rooms and runs their sources."""

    def __init__(self, database: SharedStore, desk: Desk, credentials: Credentials) -> None:
        self._database, self._desk, self._credentials = database, desk, credentials
        self._running: dict[str, tuple[tuple[Inbox, ...], asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Follow the directory until cancelled."""
        directory = self._desk.directory
        try:
            while True:
                if directory.changed.is_set():
                    directory.changed.clear()
                    await self._apply_settings()
                await self._rest()
                await self._begin_again()
        finally:
            await self._end(list(self._running))

    async def _rest(self) -> None:
        directory = self._desk.directory
        try:
            async with asyncio.timeout(LOOK):
                await directory.changed.wait()
        except TimeoutError:
            try:
                await directory.load(self._database)
            except Exception as error:  # noqa: BLE001 - mail goes on with what was known
                log.warning("inboxes not looked at", error=f"{type(error).__name__}: {error}")

    async def _begin_again(self) -> None:
        """Restart sources that ended unexpectedly; the other sources keep running meanwhile."""
        ended = [account for account, (_, task) in self._running.items() if task.done()]
        for account in ended:
            _, task = self._running.pop(account)
            error = None if task.cancelled() else task.exception()
            log.error("watcher ended", account=account, exc_info=error)
            self._desk.directory.changed.set()
        if ended:
            await asyncio.sleep(LOOK)

    async def _apply_settings(self) -> None:
        try:
            await setup.add_setup_jobs(self._desk)
        except Exception as error:  # noqa: BLE001 - the next try may go well
            log.warning("rooms not ordered", error=f"{type(error).__name__}: {error}")
            self._desk.directory.changed.set()
            await asyncio.sleep(1.0)
        wanted = {
            account: inboxes
            for account, inboxes in self._desk.settings.accounts().items()
            if not all(inbox.paused for inbox in inboxes)
        }
        await self._end([a for a, (now, _) in self._running.items() if wanted.get(a) != now])
        for account, inboxes in wanted.items():
            if account not in self._running:
                self._running[account] = (inboxes, self._begin(account, inboxes))
        log.info("following", inboxes=list(self._desk.settings.inboxes))

    def _begin(self, account: str, inboxes: Sequence[Inbox]) -> asyncio.Task[None]:
        context = SourceContext(
            store=self._database,
            credentials=self._credentials,
            limits=self._desk.settings.limits,
            free=self._database.free_space,
            refused=functools.partial(status.refused_login, self._desk),
        )
        (way,) = (way for way in inboxes[0].sources if way.account == account)
        source = KINDS[type(way)].begin(context, inboxes)
        name = f"{type(way).__name__.lower()}:{account}"
        return asyncio.create_task(self._database.run_exclusively(name, source.run), name=name)

    async def _end(self, accounts: Sequence[str]) -> None:
        tasks = [self._running.pop(account)[1] for account in accounts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
