"""Tasks of the jobs that admins ask for, and of the housekeeping behind them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from bridge.model.ids import EventId, InboxId, Number
from bridge.model.task import Task


@dataclass(frozen=True, slots=True)
class TestInbox(Task):
    """Test every step of an inbox, as requested by `event`."""

    __test__ = False  # pytest would take it for one of its own

    kind, share = "test", "rest"
    title = "testing an inbox"
    event: EventId
    _: KW_ONLY
    inbox: InboxId


@dataclass(frozen=True, slots=True)
class Export(Task):
    """Upload the mails of conversations as an mbox file, as requested by `event`."""

    kind, share = "export", "rest"
    title = "an export"
    event: EventId
    _: KW_ONLY
    place: str
    """The Place that the answer is posted to, as text."""
    numbers: tuple[Number, ...]
    name: str


@dataclass(frozen=True, slots=True)
class MakeReport(Task):
    """Make the report that `event` requested."""

    kind, share = "report", "rest"
    title = "a report"
    event: EventId
    _: KW_ONLY
    period: str


@dataclass(frozen=True, slots=True)
class RehearseRules(Task):
    """Report what rules would have done with the last mails, as requested by `event`."""

    kind, share = "rehearse", "rest"
    title = "a test of rules"
    event: EventId
    _: KW_ONLY
    inbox: InboxId
    text: str
    """YAML of the rules to try; empty for the rules of the inbox."""


@dataclass(frozen=True, slots=True)
class IndexWords(Task):
    """Index the next batch of mails from before the search existed: ids above `after`."""

    kind, share = "index", "rest"
    title = "words for the search"
    after: int


@dataclass(frozen=True, slots=True)
class Purge(Task):
    """Erase a conversation and its room."""

    kind, share = "purge", "rest"
    title = "erasing a conversation"
    number: Number
    _: KW_ONLY
    ids: bool
    """Whether its Message-IDs are erased, too."""


@dataclass(frozen=True, slots=True)
class ForgetPerson(Task):
    """Erase a person from a conversation whose contact is somebody else."""

    kind, share = "forget", "rest"
    title = "erasing a person"
    number: Number
    spec: str


@dataclass(frozen=True, slots=True)
class RedactMentions(Task):
    """Redact posts in other rooms that mention an erased address."""

    kind, share = "unsay", "rest"
    title = "erasing what was said here"
    spec: str


@dataclass(frozen=True, slots=True)
class EmptyLog(Task):
    """Truncate the database's write-ahead log, which still holds the data that a job erased."""

    kind, share = "scrub", "rest"
    title = "emptying the database's log"
    job: int


@dataclass(frozen=True, slots=True)
class AfterRestore(Task):
    """Tell people which deliveries they are asked about after a restore."""

    kind = "restored"
    is_unique = False
    title = "telling of a restore"
    _: KW_ONLY
    asked: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TellOfFailure(Task):
    """Tell people that a job failed permanently."""

    kind = "failed"
    title = "telling of a failure"
    job: int
    leases: int
