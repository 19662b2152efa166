"""Jobs: durable steps in lanes, taken by leases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from bridge.model import Job, LostLease, share_of
from bridge.model.job import TaskT, read, stored
from bridge.model.oversight import JobStatus
from bridge.model.task import ReceiveMail, Task, TellOfFailure
from bridge.store.connection import Connection

COLUMNS = "id, kind, lane, payload, run_after, failures, leases, deaths, leased_by"
DIED = f"CASE WHEN leased_by IS NOT NULL AND kind = '{ReceiveMail.kind}' THEN 1 ELSE 0 END"
"""One more death of a process, where the job was leased and may be what killed it."""
FREED = f"leased_by = NULL, leased_until = NULL, deaths = deaths + {DIED}"
"""What becomes of a job whose process is no more."""


class Jobs:
    """The job table. Times are epoch seconds."""

    def __init__(self, conn: Connection, now: Callable[[], float], *, shared: bool) -> None:
        """`shared`: other processes lease, too."""
        self._conn, self._now = conn, now
        self._skip = "FOR UPDATE OF due SKIP LOCKED" if shared else ""
        self.added = False

    async def add(self, task: Task, lane: str = "", *, run_after: float = 0.0) -> None:
        """Add a job, due at once where no time is given, in a lane of its own where none is named.
        While one for the same task is unfinished nothing is added; a dead one is revived."""
        lane = lane or task.key
        await self._conn.execute(
            "INSERT INTO job (kind, lane, payload, run_after, key, created_at, share)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)"
            " ON CONFLICT (key) DO UPDATE SET dead_at = NULL, failures = 0, run_after = $4"
            " WHERE job.dead_at IS NOT NULL",
            task.kind,
            lane,
            stored(task),
            run_after or self._now(),
            task.key if task.is_one else None,
            self._now(),
            share_of(task.kind, lane),
        )
        self.added = True

    async def park(self, task: Task, reason: str) -> None:
        """Keep what cannot be done as a dead job, in a lane of its own: once for each key."""
        await self._conn.execute(
            "INSERT INTO job (kind, lane, payload, run_after, key, created_at, dead_at, last_error,"
            " share) VALUES ($1, $2, $3, $4, $2, $4, $4, $5, $6) ON CONFLICT (key) DO NOTHING",
            task.kind,
            task.key,
            stored(task),
            self._now(),
            reason[:2000],
            task.share,
        )

    async def lease(
        self, worker: str, now: float, seconds: float, share: str, limit: int
    ) -> list[Job[Task]]:
        """Take up to `limit` jobs of a share that are due and first in their lanes, each with
        those behind it that are done together with it. In the order of their ids.

        A job that outlives the process that had it adds to its `deaths` where it may be the cause;
        of those only the oldest runs at a time, so that the next death has one cause.
        """
        rows = await self._conn.fetch(
            "UPDATE job SET leased_by = $1, leased_until = $2, leases = leases + 1,"
            f" deaths = deaths + CASE WHEN leased_by <> $1 THEN {DIED} ELSE 0 END WHERE id IN ("
            " SELECT id FROM job AS due WHERE share = $5 AND dead_at IS NULL AND run_after <= $3"
            " AND (leased_until IS NULL OR leased_until < $3)"
            " AND NOT EXISTS (SELECT 1 FROM job AS older WHERE older.lane = due.lane"
            "  AND older.id < due.id AND older.dead_at IS NULL)"
            " AND (deaths = 0 OR NOT EXISTS (SELECT 1 FROM job AS suspect WHERE suspect.deaths > 0"
            "  AND suspect.dead_at IS NULL AND suspect.id < due.id AND suspect.run_after <= $3))"
            f" ORDER BY run_after, id LIMIT $4 {self._skip}) RETURNING {COLUMNS}",
            worker,
            now + seconds,
            now,
            limit,
            share,
        )
        taken = [_job(row) for row in rows]
        for first in taken[:]:
            if first.task.run > 1 and not first.deaths and not first.failures:
                taken += await self._following(first, now, seconds)
        return sorted(taken, key=lambda job: job.id)

    async def _following(self, first: Job[Task], now: float, seconds: float) -> list[Job[Task]]:
        """Take those behind the first job of a lane that are of its kind and may be done now, up
        to one that may not."""
        rows = await self._conn.fetch(
            "UPDATE job SET leased_by = $1, leased_until = $2, leases = leases + 1 WHERE id IN ("
            " SELECT id FROM job AS next WHERE lane = $3 AND id > $4 AND dead_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM job AS stop WHERE stop.lane = $3 AND stop.id > $4"
            "  AND stop.id <= next.id AND stop.dead_at IS NULL AND (stop.kind <> $5"
            "  OR stop.run_after > $6 OR stop.leased_until >= $6 OR stop.failures > 0"
            "  OR stop.deaths > 0))"
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
        """Of which of these shares a job may be ready; spares an idle worker its write lock."""
        looks = (
            f"SELECT '{share}' AS share WHERE EXISTS (SELECT 1 FROM job WHERE share = '{share}'"
            " AND dead_at IS NULL AND run_after <= $1"
            " AND (leased_until IS NULL OR leased_until < $1))"
            for share in shares
        )
        rows = await self._conn.fetch(" UNION ALL ".join(looks), now) if shares else []
        return [row["share"] for row in rows]

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
        self.added = True  # the lane's next one may be due

    async def hold(self, job: Job[Task]) -> None:
        """Make sure that a job is still ours. Raises LostLease."""
        await self._leased(job, "SELECT id FROM job WHERE {}")

    async def _leased(self, job: Job[Task], query: str) -> None:
        its = query.format("id = $1 AND leased_by = $2 AND leases = $3")
        if await self._conn.fetchrow(its, job.id, job.worker, job.leases) is None:
            raise LostLease(f"job {job.id} ({job.kind}) belongs to another worker now")

    async def put_back(self, job: Job[Task], run_after: float, error: str, *, counts: bool) -> None:
        """Free a job to be tried again; `counts` adds to its failures. Where it was given another
        time while it ran, because what it waits for has come, that time counts."""
        await self._conn.execute(
            "UPDATE job SET leased_by = NULL, leased_until = NULL,"
            " run_after = CASE WHEN run_after = $6 THEN $1 ELSE run_after END,"
            " last_error = $2, failures = failures + $3 WHERE id = $4 AND leased_by = $5",
            run_after,
            error[:2000],
            int(counts),
            job.id,
            job.worker,
            job.run_after,
        )

    async def mark_dead(self, job: Job[Task], error: str, now: float) -> None:
        """Declare a job dead: it no longer holds up its lane, and waits for `!retry`."""
        await self._conn.execute(
            "UPDATE job SET leased_by = NULL, leased_until = NULL, dead_at = $1,"
            " last_error = $2, failures = failures + 1 WHERE id = $3 AND leased_by = $4",
            now,
            error[:2000],
            job.id,
            job.worker,
        )
        # in the same transaction: whatever happens next, somebody hears of it
        if not isinstance(job.task, TellOfFailure):
            await self.add(TellOfFailure(job.id, job.leases), "failed")
        self.added = True

    async def drop(self, task: Task) -> bool:
        """Remove a job nobody has begun. False when there is none."""
        row = await self._conn.fetchrow(
            "DELETE FROM job WHERE key = $1 AND leased_by IS NULL RETURNING id", task.key
        )
        self.added = True
        return row is not None

    async def reschedule(self, task: Task, run_after: float) -> bool:
        """Let a job run at another time; one that runs now, should it be put back. False when there
        is none."""
        row = await self._conn.fetchrow(
            "UPDATE job SET run_after = $1 WHERE key = $2 RETURNING id",
            run_after,
            task.key,
        )
        self.added = True
        return row is not None

    async def run_now(self, kinds: Sequence[type[Task]]) -> None:
        """Let all waiting jobs of these kinds run now, and those that run now as soon as they are
        put back: what they wait for has come."""
        now = self._now()
        await self._conn.executemany(
            "UPDATE job SET run_after = $1 WHERE kind = $2 AND dead_at IS NULL"
            " AND (run_after > $1 OR leased_by IS NOT NULL)",
            [(now, each.kind) for each in kinds],
        )
        self.added = True

    async def revive(self, job: int | None = None) -> int:
        """Give every dead job, or the one named, three new tries. Returns how many."""
        rows = await self._conn.fetch(
            "UPDATE job SET dead_at = NULL, failures = 0, run_after = 0"
            " WHERE dead_at IS NOT NULL AND id = COALESCE($1, id) RETURNING id",
            job,
        )
        self.added = True
        return len(rows)

    async def discard(self, job: int) -> bool:
        """Forget a dead job. False when it is none any more."""
        row = await self._conn.fetchrow(
            "DELETE FROM job WHERE id = $1 AND dead_at IS NOT NULL RETURNING id", job
        )
        return row is not None

    async def waiting(self, limit: int) -> list[JobStatus[Task]]:
        """The unfinished jobs that were tried already, then the others, oldest first."""
        return await self._statuses(
            "dead_at IS NULL ORDER BY last_error = '', run_after, id", limit
        )

    async def dead(self, limit: int) -> list[JobStatus[Task]]:
        """The jobs that failed permanently, oldest first."""
        return await self._statuses("dead_at IS NOT NULL ORDER BY id", limit)

    async def dead_one(self, job: int) -> JobStatus[Task] | None:
        """A job that failed permanently; None when it is none any more."""
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
                row["id"], row["kind"], row["lane"], read(row["kind"], row["payload"]),
                row["run_after"], row["failures"], row["last_error"], bool(row["running"]),
            )
            for row in rows
        ]  # fmt: skip

    async def oldest_due(self, now: float) -> float | None:
        """Since when the oldest job waits that could run, or was tried in vain, epoch seconds; None
        when none does."""
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


def _job(row: Any) -> Job[Task]:
    return Job(
        id=row["id"],
        kind=row["kind"],
        lane=row["lane"],
        task=read(row["kind"], row["payload"]),
        run_after=row["run_after"],
        failures=row["failures"],
        leases=row["leases"],
        deaths=row["deaths"],
        worker=row["leased_by"],
    )
