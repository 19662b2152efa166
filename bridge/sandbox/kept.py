"""A cache for the files of a mail, so that a mail is parsed once for all its uploads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

KEPT = 60.0
"""Seconds for which the files of a mail are kept after their last use."""
MOST = 128_000_000
"""Most bytes of files that are kept; beyond that, the mails used longest ago are dropped."""


class KeptFiles:
    """Caches the files of each mail, by a key that identifies the mail."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[list[bytes]]] = {}
        """The parsing of each mail, least recently used first."""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def of(self, mail: str, take: Callable[[], Awaitable[list[bytes]]]) -> list[bytes]:
        """The files of a mail; `take` is called for them unless they are cached or being parsed.
        Raises what `take` raises, to every waiting caller, and caches nothing then."""
        task = self._tasks.pop(mail, None)
        if task is None:
            task = asyncio.ensure_future(take())
            task.add_done_callback(partial(self._on_read_done, mail))
        self._tasks[mail] = task
        if task.done():
            self._wait(mail)
        return await asyncio.shield(task)

    def clear(self) -> None:
        for mail in list(self._tasks):
            self._drop(mail)

    def _on_read_done(self, mail: str, task: asyncio.Task[list[bytes]]) -> None:
        if self._tasks.get(mail) is not task:
            return
        if task.cancelled() or task.exception() is not None:
            self._drop(mail)
            return
        self._wait(mail)
        sizes = {
            each: sum(map(len, task.result())) for each, task in self._tasks.items() if task.done()
        }
        for each in [each for each in sizes if each != mail]:
            if sum(sizes.values()) <= MOST:
                break
            del sizes[each]
            self._drop(each)

    def _wait(self, mail: str) -> None:
        """Restart the timer that drops a mail's files KEPT seconds after their last use."""
        if mail in self._timers:
            self._timers[mail].cancel()
        loop = asyncio.get_running_loop()
        self._timers[mail] = loop.call_later(KEPT, self._drop, mail)

    def _drop(self, mail: str) -> None:
        timer, task = self._timers.pop(mail, None), self._tasks.pop(mail)
        if timer is not None:
            timer.cancel()
        task.cancel()
