"""Jobs: steps to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.model.task import TASKS, Deliver, Task

TaskT = TypeVar("TaskT", bound=Task, covariant=True)

SLOTS: Mapping[str, int] = {
    "event": 4, "deliver": 12, "again": 4, "mail": 12, "upload": 4, "hook": 2, "preview": 2,
    "rest": 2,
}  # fmt: skip
"""How many jobs of each share run at once in a process. What people wait for, their commands and
the first attempts of their mails, has slots that nothing else takes."""
SHARES = {task.kind: task.share for task in TASKS}


def share_of(kind: str, lane: str) -> str:
    """The share of a job. A delivery that was deferred has left its conversation's lane."""
    if kind == Deliver.kind and lane.startswith("delivery:"):
        return "again"
    return SHARES.get(kind, Task.share)


@dataclass(frozen=True, slots=True)
class Job(Generic[TaskT]):
    """One step to be done. Within a lane only the oldest unfinished one runs."""

    id: int
    kind: str
    lane: str
    task: TaskT
    failures: int = 0
    leases: int = 0
    deaths: int = 0
    """How often a process died while it had this job, where that tells something of the job."""
    worker: str = ""
