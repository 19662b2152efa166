"""The worker's access to the job table; each call is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.model import Job
from bridge.model.job import BUSY, GIVES_WAY
from bridge.model.task import Task
from bridge.store.database import Database


class Leases:
    """Implements worker.LeasingStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(self, worker: str, seconds: float, free: Mapping[str, int]) -> list[Job[Task]]:
        async with self._database.reading() as tx:
            due = await tx.jobs.due(
                self._database.now(), [share for share, count in free.items() if count]
            )
            for share in [each for each in due if each in GIVES_WAY]:
                if await tx.jobs.due_in(GIVES_WAY[share], BUSY) >= BUSY:
                    due.remove(share)
        if not due:
            return []
        async with self._database.transaction("lease") as tx:
            now = self._database.now()
            return [
                job
                for share in due
                for job in await tx.jobs.lease(worker, now, seconds, share, free[share])
            ]

    async def next_due(self) -> float | None:
        async with self._database.reading() as tx:
            return await tx.jobs.next_due(self._database.now())

    async def prolong(self, worker: str, jobs: list[int], seconds: float) -> None:
        async with self._database.transaction("heartbeat") as tx:
            await tx.jobs.prolong(worker, jobs, self._database.now() + seconds)

    async def put_back(self, job: Job[Task], delay: float, error: str, *, counts: bool) -> None:
        async with self._database.transaction("retry") as tx:
            await tx.jobs.put_back(job, self._database.now() + delay, error, counts=counts)

    async def mark_dead(self, job: Job[Task], error: str) -> None:
        async with self._database.transaction("retry") as tx:
            await tx.jobs.mark_dead(job, error, self._database.now())

    async def give_back(self, jobs: Sequence[Job[Task]]) -> None:
        async with self._database.transaction("retry") as tx:
            for each in jobs:
                await tx.jobs.give_back(each)
