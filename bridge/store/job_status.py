"""The job table as admins see it: what waits, what failed permanently, and how many."""

from __future__ import annotations

from typing import cast

from bridge.model.job import TaskT, loaded
from bridge.model.oversight import JobStatus
from bridge.model.task import Task
from bridge.store.connection import Connection


class JobStatuses:
    """Reads the job table. Times are epoch seconds."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def waiting(self, limit: int) -> list[JobStatus[Task]]:
        """The unfinished jobs that were tried already, then the others, oldest first."""
        return await self._statuses(
            "dead_at IS NULL ORDER BY last_error = '', run_after, id", limit
        )

    async def failing(self, limit: int) -> list[JobStatus[Task]]:
        """The unfinished jobs that failed at least once, and those for rooms and uploads that wait
        for more than their turn, oldest first."""
        rooms = "kind IN ('setup', 'fill', 'upload') AND last_error <> '' OR kind = 'remake'"
        return await self._statuses(
            f"dead_at IS NULL AND (failures > 0 OR {rooms}) ORDER BY id", limit
        )

    async def dead(self, limit: int) -> list[JobStatus[Task]]:
        """The jobs that failed permanently, oldest first."""
        return await self._statuses("dead_at IS NOT NULL ORDER BY id", limit)

    async def dead_one(self, job: int) -> JobStatus[Task] | None:
        """A job that failed permanently; None when it is not dead any more."""
        found = await self._statuses(f"dead_at IS NOT NULL AND id = {int(job)}", 1)
        return found[0] if found else None

    async def dead_of(self, task: type[TaskT], limit: int) -> list[JobStatus[TaskT]]:
        """The jobs for one kind of task that failed permanently, oldest first."""
        which = f"dead_at IS NOT NULL AND kind = '{task.kind}' ORDER BY id"
        found = await self._statuses(which, limit)
        return [cast(JobStatus[TaskT], job) for job in found if isinstance(job.task, task)]

    async def _statuses(self, where: str, limit: int) -> list[JobStatus[Task]]:
        rows = await self._conn.fetch(
            f"SELECT *, leased_by IS NOT NULL AS running FROM job WHERE {where} LIMIT $1", limit
        )
        return [
            JobStatus(
                row["id"], row["kind"], row["lane"], loaded(row["kind"], row["payload"]),
                row["run_after"], row["failures"], row["last_error"], bool(row["running"]),
            )
            for row in rows
        ]  # fmt: skip

    async def oldest_due(self, now: float) -> float | None:
        """The time since which the oldest job waits that could run or failed before, epoch seconds;
        None when there is none."""
        value = await self._conn.fetchval(
            "SELECT MIN(CASE WHEN last_error = '' THEN run_after ELSE created_at END) FROM job"
            " WHERE dead_at IS NULL AND run_after > 0"
            " AND (last_error <> '' OR (run_after <= $1 AND leased_by IS NULL))",
            now,
        )
        return None if value is None else float(value)

    async def counts(self) -> dict[str, int]:
        """Unfinished jobs by kind; the dead ones under `dead`."""
        rows = await self._conn.fetch(
            "SELECT CASE WHEN dead_at IS NULL THEN kind ELSE 'dead' END AS what, COUNT(*) AS n"
            " FROM job GROUP BY 1"
        )
        return {row["what"]: row["n"] for row in rows}
