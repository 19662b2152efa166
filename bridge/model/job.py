"""Jobs: durable steps that the worker runs, and their JSON form in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from bridge.model.task import (
    AfterRestore,
    BringPost,
    CallHook,
    CopyToSent,
    Deliver,
    EmptyLog,
    Export,
    ForgetPerson,
    HandleEvent,
    IndexWords,
    MakeReport,
    MakeRoom,
    Purge,
    ReadEventAgain,
    ReceiveMail,
    RedactMentions,
    RehearseRules,
    SetUp,
    ShowPreview,
    Task,
    TellOfFailure,
    TestInbox,
    Unreadable,
    UploadFile,
    Wake,
)

TaskT = TypeVar("TaskT", bound=Task, covariant=True)

SLOTS: Mapping[str, int] = {
    "event": 4, "deliver": 12, "again": 4, "mail": 12, "upload": 4, "hook": 2, "preview": 2,
    "rest": 2,
}  # fmt: skip
"""How many jobs of each share run at once in a process. Commands and the first attempts of
deliveries have slots of their own, because people wait for them."""
TASKS = (
    ReceiveMail, HandleEvent, ReadEventAgain, BringPost, UploadFile, Deliver, CopyToSent,
    ShowPreview, MakeRoom, SetUp, Wake, CallHook, TestInbox, Export, MakeReport, RehearseRules,
    IndexWords, Purge, ForgetPerson, RedactMentions, EmptyLog, AfterRestore, TellOfFailure,
)  # fmt: skip
TITLES: Mapping[str, str] = {task.kind: task.title for task in TASKS}
ADAPTERS: Mapping[str, TypeAdapter[Task]] = {task.kind: TypeAdapter(task) for task in TASKS}
SHARES = {task.kind: task.share for task in TASKS}


def share_of(kind: str, lane: str) -> str:
    """The share of a job. The lane of a deferred delivery is no longer its conversation's, and its
    retries use the share `again`."""
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
