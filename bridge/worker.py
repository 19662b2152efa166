"""The worker: leases due jobs, runs their handlers, keeps their leases alive, and retries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, Protocol

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from bridge import metrics
from bridge.model import SLOTS, Job, LostLease, Permanent, Transient, share_of
from bridge.model.task import Task, Unreadable

log = structlog.get_logger("worker")

LEASE = 60.0
"""Seconds that a lease lasts without a heartbeat; one is sent every third of that time."""
IDLE_POLL = 5.0
TRIES = 3
"""Failures, other than Transient errors, after which a job is dead."""

Handler = Callable[[Job[Any]], Awaitable[None]]
"""Does a job, and finishes it in its own last transaction."""
Together = Callable[[Sequence[Job[Any]]], Awaitable[bool]]
"""Does consecutive jobs of a lane and finishes all in one transaction. Returns False, or raises,
with nothing done, when they must be done one after the other."""


class LeasingStore(Protocol):
    """The worker's interface to the store; the interfaces of the desk are in ports."""

    async def lease(
        self, worker: str, seconds: float, free: Mapping[str, int]
    ) -> list[Job[Task]]: ...
    async def next_due(self) -> float | None: ...
    async def prolong(self, worker: str, jobs: list[int], seconds: float) -> None: ...
    async def put_back(self, job: Job[Task], delay: float, error: str, *, counts: bool) -> None: ...
    async def mark_dead(self, job: Job[Task], error: str) -> None: ...
    async def give_back(self, jobs: Sequence[Job[Task]]) -> None: ...


def delay_after(tries: int, floor: float | None = None) -> float:
    """Seconds to wait after the nth try: 1, 2, 4 … 300 with jitter, never under `floor`."""
    backoff = min(300.0, 2.0 ** min(tries - 1, 9)) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret
    return max(backoff, floor or 0.0)


def _context(job: Job[Task]) -> dict[str, object]:
    """The values added to every log line while a job runs; never an address."""
    found: dict[str, object] = {"job": job.id, "kind": job.kind}
    where, _, rest = job.lane.partition(":")
    if where == "conversation":
        found["conversation"] = int(rest.partition(":")[0])
    elif where == "inbox":
        found["inbox"] = rest.partition(":")[0]
    return found


class Worker:
    """Runs jobs until cancelled."""

    def __init__(
        self,
        store: LeasingStore,
        handlers: Mapping[type[Task], Handler],
        *,
        name: str,
        together: Mapping[type[Task], Together] = MappingProxyType({}),
        slots: Mapping[str, int] = SLOTS,
    ) -> None:
        """`slots`: for each share (a group of kinds of jobs, see model/task.py), how many lanes
        are worked on at the same time."""
        self._store = store
        self._handlers, self._handlers_together = handlers, together
        self._name = name
        self._slots = slots
        self._running: dict[int, tuple[list[Job[Task]], asyncio.Task[None]]] = {}
        """The running jobs and their asyncio task, by the id of the first job of each run."""
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for jobs at once, as there may be new ones."""
        self._wake.set()

    async def run(self) -> None:
        """Run jobs until cancelled; then give running jobs 2 seconds to end."""
        pulse = asyncio.create_task(self._pulse())
        try:
            while True:
                self._wake.clear()
                leased = await self._take()
                if not leased:
                    await self._rest()
        finally:
            pulse.cancel()
            await self._drain()

    async def _take(self) -> bool:
        free = dict(self._slots)
        for running, _ in self._running.values():
            free[share_of(running[0].kind, running[0].lane)] -= 1
        try:
            jobs = await self._store.lease(self._name, LEASE, free)
        except Exception as error:  # noqa: BLE001 - the next look may go well
            log.warning("cannot take jobs", error=str(error))
            await asyncio.sleep(1.0)
            return False
        for _, following in groupby(sorted(jobs, key=_order), lambda job: job.lane):
            run = list(following)
            first = run[0].id
            if first in self._running:  # our own lease ran out; it raises LostLease at its end
                await self._again(run[0], Transient("it runs still"), counts=False)
                await self._give_back(run[1:])
                continue
            task = asyncio.create_task(self._work(run), name=f"{run[0].kind} {first}")
            self._running[first] = run, task
            task.add_done_callback(lambda _, first=first: self._done(first))  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
        return bool(jobs)

    def _done(self, first: int) -> None:
        self._running.pop(first, None)
        self._wake.set()

    async def _rest(self) -> None:
        try:
            due = await self._store.next_due()
        except Exception as error:  # noqa: BLE001 - the next look may go well
            log.warning("cannot see when jobs are due", error=str(error))
            due = None
        wait = IDLE_POLL if due is None else min(IDLE_POLL, max(0.005, due - time.time()))
        try:
            # not wait_for: before Python 3.12 it may swallow a cancellation
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _work(self, run: list[Job[Task]]) -> None:
        """Do consecutive jobs of a lane together. Where that fails, do the first, and give back the
        others, which are done one after the other then."""
        if len(run) > 1:
            if await self._do_together(run):
                return
            await self._give_back(run[1:])
            del run[1:]
        await self._do(run[0])

    async def _do_together(self, run: Sequence[Job[Task]]) -> bool:
        bind_contextvars(**_context(run[0]))
        began, kind = time.monotonic(), type(run[0].task)
        try:
            if not await self._handlers_together[kind](run):
                return False
        except Exception as error:  # noqa: BLE001 - each by itself says what is wrong with it
            log.info("not done together", jobs=len(run), error=f"{type(error).__name__}: {error}")
            return False
        took = (time.monotonic() - began) / len(run)
        for job in run:
            metrics.jobs_done.labels(job.kind, "done").observe(took)
        return True

    async def _do(self, job: Job[Task]) -> None:
        """Do one job and handle any error."""
        clear_contextvars()
        bind_contextvars(**_context(job))
        began, result = time.monotonic(), "done"
        try:
            if isinstance(job.task, Unreadable):
                raise Permanent(job.task.problem)
            await self._handlers[type(job.task)](job)
        except LostLease as error:
            result = "lost"
            log.warning("lease lost", error=str(error))
        except Transient as error:
            result = "waits"
            log.info("job waits", error=str(error))
            await self._again(job, error, counts=False)
        except Exception as error:
            result = "failed"
            log.exception("job failed")
            await self._again(job, error, counts=True)
        finally:
            metrics.jobs_done.labels(job.kind, result).observe(time.monotonic() - began)

    async def _again(self, job: Job[Task], error: Exception, *, counts: bool) -> None:
        text = f"{type(error).__name__}: {error}" if counts else str(error)
        text = text.replace("\0", "").encode("utf-8", "replace").decode()  # storable as SQL text
        try:
            if counts and job.failures + 1 >= TRIES:
                await self._store.mark_dead(job, text)
                return
            floor = error.retry_after if isinstance(error, Transient) else None
            tries = job.failures + 1 if counts else job.leases
            await self._store.put_back(job, delay_after(tries, floor), text, counts=counts)
        except Exception as problem:  # noqa: BLE001 - the others must go on
            # the lease runs out by itself, and then the job is leased again
            log.warning("cannot put the job back", error=str(problem))

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            if self._running:
                jobs = [job.id for run, _ in self._running.values() for job in run]
                try:
                    await self._store.prolong(self._name, jobs, LEASE)
                except Exception as error:  # noqa: BLE001 - the pulse must go on
                    log.warning("heartbeat failed", error=str(error))

    async def _drain(self, seconds: float = 2.0) -> None:
        if not self._running:
            return
        runs = {task: run for run, task in self._running.values()}
        _, late = await asyncio.wait(runs, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._give_back([job for task in late for job in runs[task]])

    async def _give_back(self, jobs: Sequence[Job[Task]]) -> None:
        """Free jobs that were not begun or not finished, so that the next worker need not wait for
        their leases, nor count them as a possible cause of a crash."""
        try:
            await self._store.give_back(jobs)
        except Exception as error:  # noqa: BLE001 - the leases run out by themselves
            log.warning("cannot give jobs back", error=str(error))


def _order(job: Job[Task]) -> tuple[str, int]:
    return job.lane, job.id
