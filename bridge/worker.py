"""The worker: leases due jobs, runs them by kind, keeps their leases alive, tries again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog
from structlog.contextvars import bind_contextvars

from bridge import metrics
from bridge.model import SLOTS, Job, LostLease, Permanent, Transient, share_of
from bridge.model.task import Task, Unreadable

log = structlog.get_logger("worker")

LEASE = 60.0
"""Seconds a job is ours without a heartbeat; one is sent each third of it."""
IDLE_POLL = 5.0
TRIES = 3
"""Failures of our own making after which a job is dead."""

Handler = Callable[[Job[Any]], Awaitable[None]]
"""Does the job and finishes it in its own last transaction."""


class LeasingStore(Protocol):
    """What the worker needs of the store; the interfaces of the desk are in ports."""

    async def lease(
        self, worker: str, seconds: float, free: Mapping[str, int]
    ) -> list[Job[Task]]: ...
    async def next_due(self) -> float | None: ...
    async def prolong(self, worker: str, jobs: list[int], seconds: float) -> None: ...
    async def put_back(self, job: Job[Task], delay: float, error: str, *, counts: bool) -> None: ...
    async def mark_dead(self, job: Job[Task], error: str) -> None: ...


def delay_after(tries: int, floor: float | None = None) -> float:
    """Seconds to wait after the nth try: 1, 2, 4 … 300 with jitter, never under `floor`."""
    backoff = min(300.0, 2.0 ** min(tries - 1, 9)) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret
    return max(backoff, floor or 0.0)


def _context(job: Job[Task]) -> dict[str, object]:
    """What every line of the log says while a job runs: never whose mail it is about."""
    found: dict[str, object] = {"job": job.id, "kind": job.kind}
    where, _, rest = job.lane.partition(":")
    if where == "conversation":
        found["conversation"] = int(rest.partition(":")[0])
    elif where == "inbox":
        found["inbox"] = rest.partition(":")[0]
    return found


class Worker:
    """Runs jobs until told to stop."""

    def __init__(
        self,
        store: LeasingStore,
        handlers: Mapping[type[Task], Handler],
        *,
        name: str,
        slots: Mapping[str, int] = SLOTS,
    ) -> None:
        """`slots`: how many jobs of each share run at once."""
        self._store = store
        self._handlers = handlers
        self._name = name
        self._slots = slots
        self._running: dict[int, tuple[Job[Task], asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There may be new jobs."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; then give what runs a moment to end."""
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
        for job, _ in self._running.values():
            free[share_of(job.kind, job.lane)] -= 1
        try:
            jobs = await self._store.lease(self._name, LEASE, free)
        except Exception as error:  # noqa: BLE001 - the next look may go well
            log.warning("cannot take jobs", error=str(error))
            await asyncio.sleep(1.0)
            return False
        for job in jobs:
            if job.id in self._running:
                continue  # our own lease ran out; what runs will notice when it finishes
            task = asyncio.create_task(self._do(job), name=f"{job.kind} {job.id}")
            self._running[job.id] = job, task
            task.add_done_callback(lambda _, job=job: self._done(job))  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
        return bool(jobs)

    def _done(self, job: Job[Task]) -> None:
        self._running.pop(job.id, None)
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

    async def _do(self, job: Job[Task]) -> None:
        """Run one job, whatever it raises."""
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
        text = text.replace("\0", "").encode("utf-8", "replace").decode()  # what a table can hold
        try:
            if counts and job.failures + 1 >= TRIES:
                await self._store.mark_dead(job, text)
                return
            floor = error.retry_after if isinstance(error, Transient) else None
            tries = job.failures + 1 if counts else job.leases
            await self._store.put_back(job, delay_after(tries, floor), text, counts=counts)
        except Exception as problem:  # noqa: BLE001 - the others must go on
            # The lease runs out by itself, and the job is taken again then.
            log.warning("cannot put the job back", error=str(problem))

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            if self._running:
                try:
                    await self._store.prolong(self._name, list(self._running), LEASE)
                except Exception as error:  # noqa: BLE001 - the pulse must go on
                    log.warning("heartbeat failed", error=str(error))

    async def _drain(self, seconds: float = 2.0) -> None:
        if not self._running:
            return
        jobs = {task: job for job, task in self._running.values()}
        _, late = await asyncio.wait(jobs, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in late:  # the next start need not wait for it, nor suspect it
            try:
                await self._store.put_back(jobs[task], 0.0, "", counts=False)
            except Exception as error:  # noqa: BLE001 - its lease runs out by itself
                log.warning("cannot put the job back", error=str(error))
