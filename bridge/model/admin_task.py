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


@dataclass(frozen=True, slots=True)
class RenewGrant(Task):
    """Renew an OAuth2 grant when half of its token's life is over."""

    kind, share = "renew", "rest"
    title = "renewing an access"
    grant: str


@dataclass(frozen=True, slots=True)
class TellOfGrant(Task):
    """Tell the control room that a grant ended, or that it is good again."""

    kind, share = "grant", "rest"
    title = "telling of an access"
    grant: str


@dataclass(frozen=True, slots=True)
class BeginLogin(Task):
    """Answer `event` with a link, or a code, by which a person logs in to a mailbox."""

    kind, share = "login", "rest"
    title = "a log-in"
    event: EventId
    _: KW_ONLY
    inbox: InboxId
    client: str
    user: str
    by_code: bool


@dataclass(frozen=True, slots=True)
class FinishLogin(Task):
    """Get the tokens for a log-in that ended in a browser."""

    kind, share = "logged-in", "rest"
    title = "a log-in"
    state: str
    """Digest of the state that the browser brought back."""
    _: KW_ONLY
    sealed: str
    """What the log-in was begun with, and what the browser brought back, encrypted."""


@dataclass(frozen=True, slots=True)
class WaitForCode(Task):
    """Ask until a person has logged in by a code, which `event` asked for."""

    kind, share = "code", "rest"
    title = "a log-in by code"
    event: EventId
    _: KW_ONLY
    sealed: str
    """What the log-in was begun with, and the device code, encrypted."""
    interval: float
    """Seconds between questions."""


@dataclass(frozen=True, slots=True)
class ShowDraftMail(Task):
    """Show a mail in the control room: one for an inbox that is being set up, or a provider's
    question whether a forward to an inbox is wanted."""

    kind, share = "draft-mail", "rest"
    title = "a mail for the control room"
    raw: int
    inbox: InboxId
    is_question: bool = False


@dataclass(frozen=True, slots=True)
class LookUpDomain(Task):
    """Tell what DNS says of a domain, as requested by `event`."""

    kind, share = "domain", "rest"
    title = "looking a domain up"
    event: EventId
    _: KW_ONLY
    domain: str
    is_new: bool = False
    """Whether it was just added."""


@dataclass(frozen=True, slots=True)
class PreviewTemplates(Task):
    """Show what a mail of an inbox looks like, as requested by `event`."""

    kind, share = "template", "rest"
    title = "a preview of templates"
    event: EventId
    _: KW_ONLY
    inbox: InboxId
