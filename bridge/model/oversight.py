"""Values shown in the control room: inboxes set up by chat, audit, test findings, job status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic

from bridge.model import InboxId, Mxid
from bridge.model.job import TaskT


@dataclass(frozen=True, slots=True)
class JobStatus(Generic[TaskT]):
    """Status of a job as admins see it: when it runs next, and its last error."""

    id: int
    kind: str
    lane: str
    task: TaskT
    run_after: float
    failures: int
    error: str
    running: bool


class InboxState(StrEnum):
    """State of an inbox that was set up by chat."""

    DRAFT = "draft"
    LIVE = "live"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class StoredInbox:
    """An inbox set up by chat: keys as in config.yaml, and encrypted secrets."""

    id: InboxId
    state: InboxState
    values: Mapping[str, Any]
    secrets: Mapping[str, str]
    """Encrypted value by dotted key, such as `imap.password`."""
    changed_at: float


@dataclass(frozen=True, slots=True)
class StoredDomain:
    """What the inboxes of one domain share, set by chat: keys as of an inbox, encrypted secrets."""

    name: str
    """In ASCII, in lower case."""
    values: Mapping[str, Any]
    secrets: Mapping[str, str]
    changed_at: float


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log."""

    at: float
    who: Mxid
    what: str


class Grade(StrEnum):
    """Result of one step of an inbox test."""

    GOOD = "✅"
    WARNING = "⚠️"
    BAD = "❌"


@dataclass(frozen=True, slots=True)
class ReturnedMail:
    """Where a mail that an inbox sent to itself arrived."""

    folder: str
    is_junk: bool
    has_other_id: bool
    """Whether a relay replaced its Message-ID."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one step of an inbox test, with its text for an admin."""

    grade: Grade
    text: str
    tags: bool | None = None
    """Whether mail to +tag addresses arrives; None if this step did not test that."""
    replaces_ids: bool | None = None
    """Whether the outgoing server replaces Message-IDs; None if this step did not test that."""
