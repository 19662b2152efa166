"""Jobs: durable steps that the worker runs, and their JSON form in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from bridge.model import admin_task, task
from bridge.model.task import Deliver, ReceiveMail, Task, Unreadable

TaskT = TypeVar("TaskT", bound=Task, covariant=True)

SLOTS: Mapping[str, int] = {
    "event": 4, "deliver": 12, "again": 4, "mail": 12, "old": 1, "upload": 4, "hook": 2,
    "preview": 2, "rest": 2,
}  # fmt: skip
"""How many jobs of each share run at once in a process. Commands and the first attempts of
deliveries have slots of their own, because people wait for them."""
GIVES_WAY, BUSY = {"old": "mail"}, 20
"""Shares whose jobs are not begun while BUSY jobs of another one are due: the rooms of 20,000 old
mails would keep new mail and its rooms waiting for hours."""
TASKS: Sequence[type[Task]] = [
    each
    for each in (vars(task) | vars(admin_task)).values()
    if isinstance(each, type) and issubclass(each, Task) and each not in (Task, Unreadable)
]
TITLES: Mapping[str, str] = {each.kind: each.title for each in TASKS}
ADAPTERS: Mapping[str, TypeAdapter[Task]] = {each.kind: TypeAdapter(each) for each in TASKS}
SHARES = {each.kind: each.share for each in TASKS}


def share_of(kind: str, lane: str) -> str:
    """The share of a job. The lane of a deferred delivery is no longer its conversation's, and its
    retries use the share `again`; old mail has a lane and a share of its own."""
    if kind == ReceiveMail.kind and lane.endswith(":old"):
        return "old"
    if kind == Deliver.kind and lane.startswith("delivery:"):
        return "again"
    return SHARES.get(kind, Task.share)


@dataclass(frozen=True, slots=True)
class Job(Generic[TaskT]):
    """One durable step. Within a lane only the oldest unfinished job runs."""

    id: int
    kind: str
    lane: str
    task: TaskT
    run_after: float = 0.0
    """When it was due, epoch seconds, as of the moment it was leased."""
    failures: int = 0
    leases: int = 0
    deaths: int = 0
    """How often a process died while it leased this job, if the job may have been the cause."""
    worker: str = ""


def dumped(task: Task) -> str:
    """The fields of a task as JSON."""
    return ADAPTERS[task.kind].dump_json(task).decode()


def loaded(kind: str, payload: str) -> Task:
    """The task that `stored` wrote as `payload`. Never raises: returns Unreadable on failure."""
    known = ADAPTERS.get(kind)
    if known is None:
        return Unreadable(kind, "no kind of job of this version")
    try:
        return known.validate_json(payload)
    except ValidationError as error:
        return Unreadable(kind, f"not as this version writes it: {error.error_count()} problems")
