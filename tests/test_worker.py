"""The worker: jobs of a lane done together, one after the other, and given back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.model import Job, Transient
from bridge.model.task import ReceiveMail
from bridge.store.database import Database
from bridge.store.leases import Leases
from bridge.worker import Worker
from tests.stage import until

COUNT = 5


class Acts:
    """Receives mails, and notes how."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.problems: dict[int, Exception] = {}
        """What goes wrong with a mail, once."""
        self.done: list[tuple[int, ...]] = []
        """The mails that were received, together or alone."""
        self.is_slow = False

    async def one(self, job: Job[ReceiveMail]) -> None:
        await self._finish([job])

    async def together(self, jobs: Sequence[Job[ReceiveMail]]) -> bool:
        await self._finish(jobs)
        return True

    async def _finish(self, jobs: Sequence[Job[ReceiveMail]]) -> None:
        while self.is_slow:
            await asyncio.sleep(0.01)
        async with self._database.transaction("receive") as tx:
            for job in jobs:
                await tx.jobs.finish(job)
                if job.task.intake in self.problems:
                    if len(jobs) == 1:
                        raise self.problems.pop(job.task.intake)
                    raise self.problems[job.task.intake]
        self.done.append(tuple(job.task.intake for job in jobs))


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[tuple[Acts, Database, asyncio.Task[None]]]:
    """A worker, and the jobs for mails 1 to COUNT of one inbox; it begins at the first wait."""
    database = await Database.open(f"sqlite:{folder}/postroom.db")
    acts = Acts(database)
    async with database.transaction("settings") as tx:
        for number in range(1, COUNT + 1):
            await tx.jobs.add(ReceiveMail(number), "inbox:a:receive")
    worker = Worker(
        Leases(database), {ReceiveMail: acts.one}, name=database.name,
        together={ReceiveMail: acts.together},
    )  # fmt: skip
    database.on_jobs = worker.wake
    running = asyncio.create_task(worker.run())
    try:
        yield acts, database, running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await database.close()


async def leased(database: Database, which: str, at_least: int) -> bool:
    """Whether so many jobs are like that, in SQL."""
    async with database.reading() as tx:
        rows = await tx.conn.fetch(f"SELECT id FROM job WHERE {which}")
    return len(rows) >= at_least


async def test_mails_of_an_inbox_are_done_together(tmp_path: Path) -> None:
    async with working(tmp_path) as (acts, _, _):
        await until(lambda: acts.done, "the mails")
        assert acts.done == [(1, 2, 3, 4, 5)]


async def test_one_that_fails_keeps_those_behind_it_waiting_and_no_longer(tmp_path: Path) -> None:
    async with working(tmp_path) as (acts, database, _):
        acts.problems[3] = ValueError("odd")
        await until(lambda: len(acts.done) == COUNT, "the mails")
        assert acts.done == [(1,), (2,), (3,), (4,), (5,)]
        async with database.reading() as tx:
            assert await tx.jobs.counts() == {}


async def test_those_behind_one_that_waits_are_free_for_others(tmp_path: Path) -> None:
    async with working(tmp_path) as (acts, database, _):
        acts.problems[1] = Transient("not yet", retry_after=3600.0)

        async def waits() -> bool:
            async with database.reading() as tx:
                rows = await tx.conn.fetch("SELECT last_error FROM job WHERE leased_by IS NULL")
            return [row["last_error"] for row in rows] == ["not yet", *[""] * (COUNT - 1)]

        await until(waits, "all to be given back")
        assert acts.done == []
        async with database.transaction("settings") as tx:
            assert await tx.jobs.reschedule(ReceiveMail(1), 1.0)
        await until(lambda: len(acts.done) == COUNT, "the mails")
        assert acts.done == [(1,), (2,), (3,), (4,), (5,)]


async def test_a_job_leased_again_while_it_runs_is_done_once(tmp_path: Path) -> None:
    async with working(tmp_path) as (acts, database, _):
        acts.is_slow = True

        await until(
            lambda: leased(database, "leased_by IS NOT NULL", COUNT), "the mails to be taken"
        )
        async with database.transaction("settings") as tx:  # as after a minute without heartbeats
            await tx.conn.execute("UPDATE job SET leased_until = 1.0")
            tx.jobs.added = True

        await until(lambda: leased(database, "leases > 1", 1), "one to be taken again")
        acts.is_slow = False
        await until(lambda: len(acts.done) == COUNT, "the mails")
        assert acts.done == [(1,), (2,), (3,), (4,), (5,)]


async def test_a_worker_that_stops_gives_back_all_it_had(tmp_path: Path) -> None:
    async with working(tmp_path) as (acts, database, running):
        acts.is_slow = True

        await until(
            lambda: leased(database, "leased_by IS NOT NULL", COUNT), "the mails to be taken"
        )
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        async with database.reading() as tx:
            rows = await tx.conn.fetch("SELECT leased_by, deaths FROM job")
        assert [tuple(row) for row in rows] == [(None, 0)] * COUNT
