"""The words of the control room: inboxes set up by chat, the audit, findings, jobs to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic

from bridge.model import InboxId, Mxid
from bridge.model.job import TaskT


@dataclass(frozen=True, slots=True)
class JobStatus(Generic[TaskT]):
    """A job as people look at it: when it runs next, and what it failed of."""

    id: int
    kind: str
    lane: str
    task: TaskT
    run_after: float
    failures: int
    error: str
    running: bool


class InboxState(StrEnum):
    """Where an inbox that was set up by chat stands."""

    DRAFT = "draft"
    LIVE = "live"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class StoredInbox:
    """An inbox set up by chat: its keys as in config.yaml, and its secrets, sealed."""

    id: InboxId
    state: InboxState
    values: Mapping[str, Any]
    secrets: Mapping[str, str]
    """Sealed text by dotted key, as `imap.password`."""
    changed_at: float


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit."""

    at: float
    who: Mxid
    what: str


class Grade(StrEnum):
    """How a step of a test went."""

    GOOD = "✅"
    WARNING = "⚠️"
    BAD = "❌"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step of a test found, as an admin reads it."""

    grade: Grade
    text: str
    tags: bool | None = None
    """Whether mail to +tag addresses arrives, where that was the question."""
