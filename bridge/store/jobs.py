"""Jobs: durable steps in lanes, which workers lease."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bridge.model import Job, LostLease, share_of
from bridge.model.admin_task import TellOfFailure
from bridge.model.job import dumped, loaded
from bridge.model.task import ReceiveMail, Task
from bridge.store.connection import Connection
from bridge.store.job_status import JobStatuses

COLUMNS = "id, kind, lane, payload, run_after, failures, leases, deaths, leased_by"
DIED = f"CASE WHEN leased_by IS NOT NULL AND kind = '{ReceiveMail.kind}' THEN 1 ELSE 0 END"
"""SQL: 1 where the job was leased when its process died and may have caused that, otherwise 0."""
FREED = f"leased_by = NULL, leased_until = NULL, deaths = deaths + {DIED}"
"""SQL: the assignments that free a job whose process does not exist any more."""


class Jobs(JobStatuses):
    """The job table. Times are epoch seconds."""

    def __init__(self, conn: Connection, now: Callable[[], float], *, shared: bool) -> None:
        """`shared`: other processes lease jobs from the same table."""
        super().__init__(conn)
        self._now = now
        self._skip = "FOR UPDATE OF due SKIP LOCKED" if shared else ""
        self.added = False

    async def add(self, task: Task, lane: str = "", *, run_after: float = 0.0) -> None:
        """Add a job, by default due at once and in a lane of its own. Nothing is added while a job
        for the same task is unfinished; a dead one is revived. `run_after`: epoch seconds."""
        lane = lane or task.key
        await self._conn.execute(
            "INSERT INTO job (kind, lane, payload, run_after, key, created_at, share)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)"
            " ON CONFLICT (key) DO UPDATE SET dead_at = NULL, failures = 0, run_after = $4"
            " WHERE job.dead_at IS NOT NULL",
            task.kind,
            lane,
            dumped(task),
            run_after or self._now(),
            task.key if task.is_unique else None,
            self._now(),
            share_of(task.kind, lane),
        )
        self.added = True

    async def park(self, task: Task, reason: str) -> None:
        """Store a task that cannot be done as a dead job in its own lane, once for each key."""
        await self._conn.execute(
            "INSERT INTO job (kind, lane, payload, run_after, key, created_at, dead_at, last_error,"
            " share) VALUES ($1, $2, $3, $4, $2, $4, $4, $5, $6) ON CONFLICT (key) DO NOTHING",
            task.kind,
            task.key,
            dumped(task),
            self._now(),
            reason[:2000],
            task.share,
        )

    async def lease(
        self, worker: str, now: float, seconds: float, share: str, limit: int
    ) -> list[Job[Task]]:
        """Lease up to `limit` jobs of a share that are due and first in their lanes, each with the
        following ones that can be done together with it. Returns them in the order of their ids.

        When a process died while it had a job, the job's `deaths` grow where it may be the cause.
        Of such suspects that are first in their lanes only the oldest is leased at a time, so that
        a next death has one cause.
        """
        rows = await self._conn.fetch(
            "UPDATE job SET leased_by = $1, leased_until = $2, leases = leases + 1,"
            f" deaths = deaths + CASE WHEN leased_by <> $1 THEN {DIED} ELSE 0 END WHERE id IN ("
            " SELECT id FROM job AS due WHERE share = $5 AND dead_at IS NULL AND run_after <= $3"
            " AND (leased_until IS NULL OR leased_until < $3)"
            " AND NOT EXISTS (SELECT 1 FROM job AS older WHERE older.lane = due.lane"
            "  AND older.id < due.id AND older.dead_at IS NULL)"
            " AND (deaths = 0 OR NOT EXISTS (SELECT 1 FROM job AS suspect WHERE suspect.deaths > 0"
            "  AND suspect.dead_at IS NULL AND suspect.id < due.id AND suspect.run_after <= $3"
            "  AND NOT EXISTS (SELECT 1 FROM job AS ahead WHERE ahead.lane = suspect.lane"
            "   AND ahead.id < suspect.id AND ahead.dead_at IS NULL)))"
            f" ORDER BY run_after, id LIMIT $4 {self._skip}) RETURNING {COLUMNS}",
            worker,
            now + seconds,
            now,
            limit,
            share,
        )
        taken = [_job(row) for row in rows]
        for first in taken[:]:
            if first.task.run > 1 and first.leases == 1:
                taken += await self._following(first, now, seconds)
        return sorted(taken, key=lambda job: job.id)

    async def _following(self, first: Job[Task], now: float, seconds: float) -> list[Job[Task]]:
        """Lease the jobs behind the first one of a lane, up to one that is of another kind, is not
        due, or was leased before: what was tried already is tried alone."""
        rows = await self._conn.fetch(
            "UPDATE job SET leased_by = $1, leased_until = $2, leases = leases + 1 WHERE id IN ("
            " SELECT id FROM job AS next WHERE lane = $3 AND id > $4 AND dead_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM job AS stop WHERE stop.lane = $3 AND stop.id > $4"
            "  AND stop.id <= next.id AND stop.dead_at IS NULL"
            "  AND (stop.kind <> $5 OR stop.run_after > $6 OR stop.leases > 0))"
            f" ORDER BY id LIMIT $7) RETURNING {COLUMNS}",
            first.worker,
            now + seconds,
            first.lane,
            first.id,
            first.kind,
            now,
            first.task.run - 1,
        )
        return [_job(row) for row in rows]

    async def due(self, now: float, shares: Sequence[str]) -> list[str]:
        """Those of the shares that may have a job ready; saves an idle worker the write lock."""
        looks = (
            f"SELECT '{share}' AS share WHERE EXISTS (SELECT 1 FROM job WHERE share = '{share}'"
            " AND dead_at IS NULL AND run_after <= $1"
            " AND (leased_until IS NULL OR leased_until < $1))"
            for share in shares
        )
        rows = await self._conn.fetch(" UNION ALL ".join(looks), now) if shares else []
        return [row["share"] for row in rows]

    async def due_in(self, share: str, limit: int) -> int:
        """The number of due jobs of a share, at most `limit`."""
        return int(
            await self._conn.fetchval(
                "SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE share = $1 AND dead_at IS NULL"
                " AND run_after <= $2 LIMIT $3) AS found",
                share,
                self._now(),
                limit,
            )
        )

    async def next_due(self, now: float) -> float | None:
        """When the next job that nobody holds becomes due."""
        value = await self._conn.fetchval(
            "SELECT MIN(run_after) FROM job WHERE dead_at IS NULL AND run_after > $1", now
        )
        return None if value is None else float(value)

    async def prolong(self, worker: str, jobs: Sequence[int], until: float) -> None:
        await self._conn.executemany(
            "UPDATE job SET leased_until = $1 WHERE id = $2 AND leased_by = $3",
            [(until, job, worker) for job in jobs],
        )

    async def finish(self, job: Job[Task]) -> None:
        """Remove a done job. Raises LostLease when it is no longer ours."""
        await self._leased(job, "DELETE FROM job WHERE {} RETURNING id")
        self.added = True  # the next job of the lane may be due

    async def assert_leased(self, job: Job[Task]) -> None:
        """Check that we still have the lease of a job. Raises LostLease otherwise."""
        await self._leased(job, "SELECT id FROM job WHERE {}")

    async def _leased(self, job: Job[Task], query: str) -> None:
        its = query.format("id = $1 AND leased_by = $2 AND leases = $3")
        if await self._conn.fetchrow(its, job.id, job.worker, job.leases) is None:
            raise LostLease(f"job {job.id} ({job.kind}) belongs to another worker now")

    async def put_back(self, job: Job[Task], run_after: float, error: str, *, counts: bool) -> None:
        """Free a job to be tried again at `run_after`; `counts` adds to its failures. Where the job
        was rescheduled while it ran, the time given then is kept."""
        await self._conn.execute(
            "UPDATE job SET leased_by = NULL, leased_until = NULL,"
            " run_after = CASE WHEN run_after = $6 THEN $1 ELSE run_after END,"
            " last_error = $2, failures = failures + $3"
            " WHERE id = $4 AND leased_by = $5 AND leases = $7",
            run_after,
            error[:2000],
            int(counts),
            job.id,
            job.worker,
            job.run_after,
            job.leases,
        )

    async def give_back(self, job: Job[Task]) -> None:
        """Free a job that was not begun, as if it had not been leased."""
        await self._conn.execute(
            "UPDATE job SET leased_by = NULL, leased_until = NULL"
            " WHERE id = $1 AND leased_by = $2 AND leases = $3",
            job.id,
            job.worker,
            job.leases,
        )

    async def mark_dead(self, job: Job[Task], error: str, now: float) -> None:
        """Declare a job dead: it no longer blocks its lane, and waits for `!retry`."""
        row = await self._conn.fetchrow(
            "UPDATE job SET leased_by = NULL, leased_until = NULL, dead_at = $1,"
            " last_error = $2, failures = failures + 1"
            " WHERE id = $3 AND leased_by = $4 AND leases = $5 RETURNING id",
            now,
            error[:2000],
            job.id,
            job.worker,
            job.leases,
        )
        # in the same transaction, so that the admins are told even after a crash
        if row is not None and not isinstance(job.task, TellOfFailure):
            await self.add(TellOfFailure(job.id, job.leases), "failed")
        self.added = True

    async def exists(self, task: Task) -> bool:
        """Whether a job with this task's key is unfinished."""
        query = "SELECT 1 FROM job WHERE key = $1"
        return await self._conn.fetchval(query, task.key) is not None

    async def drop(self, task: Task) -> bool:
        """Remove a job that is not leased. False when there is none."""
        row = await self._conn.fetchrow(
            "DELETE FROM job WHERE key = $1 AND leased_by IS NULL RETURNING id", task.key
        )
        self.added = True
        return row is not None

    async def reschedule(self, task: Task, run_after: float) -> bool:
        """Let a job run at another time; where it runs now, the time counts if it is put back.
        False when there is no such job."""
        row = await self._conn.fetchrow(
            "UPDATE job SET run_after = $1 WHERE key = $2 RETURNING id",
            run_after,
            task.key,
        )
        self.added = True
        return row is not None

    async def run_now(self, kinds: Sequence[type[Task]]) -> None:
        """Let all waiting jobs of these kinds run now, as their condition is met; those that run
        already run again at once if they are put back."""
        now = self._now()
        await self._conn.executemany(
            "UPDATE job SET run_after = $1 WHERE kind = $2 AND dead_at IS NULL"
            " AND (run_after > $1 OR leased_by IS NOT NULL)",
            [(now, each.kind) for each in kinds],
        )
        self.added = True

    async def revive(self, job: int | None = None) -> int:
        """Give every dead job, or the given one, new tries. Returns how many jobs."""
        rows = await self._conn.fetch(
            "UPDATE job SET dead_at = NULL, failures = 0, run_after = 0"
            " WHERE dead_at IS NOT NULL AND id = COALESCE($1, id) RETURNING id",
            job,
        )
        self.added = True
        return len(rows)

    async def discard(self, job: int) -> bool:
        """Delete a dead job. False when it is not dead any more."""
        row = await self._conn.fetchrow(
            "DELETE FROM job WHERE id = $1 AND dead_at IS NOT NULL RETURNING id", job
        )
        return row is not None


def _job(row: Any) -> Job[Task]:
    return Job(
        id=row["id"],
        kind=row["kind"],
        lane=row["lane"],
        task=loaded(row["kind"], row["payload"]),
        run_after=row["run_after"],
        failures=row["failures"],
        leases=row["leases"],
        deaths=row["deaths"],
        worker=row["leased_by"],
    )
