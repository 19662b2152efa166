"""Jobs: steps to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SLOTS: Mapping[str, int] = {
    "event": 4, "deliver": 12, "again": 4, "mail": 12, "upload": 4, "hook": 2, "preview": 2,
    "rest": 2,
}  # fmt: skip
"""How many jobs of each share run at once in a process. What people wait for, their commands and
the first attempts of their mails, has slots that nothing else takes."""
SHARES: Mapping[str, str] = {
    "event": "event", "deliver": "deliver", "upload": "upload", "hook": "hook",
    "preview": "preview", "test": "rest", "export": "rest", "index": "rest", "report": "rest",
    "rehearse": "rest", "purge": "rest", "forget": "rest", "unsay": "rest", "scrub": "rest",
}  # fmt: skip
"""The share of each kind of job; of all others `mail`."""
READING = "receive"
"""The kind of job in which a mail is read, and which may be what killed a process."""


def share_of(kind: str, lane: str) -> str:
    """The share of a job. A delivery that was deferred has left its conversation's lane."""
    if kind == "deliver" and lane.startswith("delivery:"):
        return "again"
    return SHARES.get(kind, "mail")


@dataclass(frozen=True, slots=True)
class Job:
    """One step to be done. Within a lane only the oldest unfinished one runs."""

    id: int
    kind: str
    lane: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    run_after: float = 0.0
    """When it was due, epoch seconds, as it was when it was taken."""
    failures: int = 0
    leases: int = 0
    deaths: int = 0
    """How often a process died while it had this job, where that tells something of the job."""
    worker: str = ""
