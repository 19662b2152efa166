"""What jobs do: one class for each kind of job, with what it needs to know."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

from bridge.model.ids import Content, EventId, InboxId, MailId, Number
from bridge.model.place import Role


@dataclass(frozen=True, slots=True)
class Task:
    """What a job does. The fields that come first tell one from another; those after them are
    named where it is made."""

    kind: ClassVar[str]
    """Its name in the table of jobs."""
    title: ClassVar[str]
    """What is done, as an admin reads it."""
    share: ClassVar[str] = "mail"
    """Whose slots of the worker it takes."""
    is_one: ClassVar[bool] = True
    """While a job for it is unfinished, no other is added."""
    run: ClassVar[int] = 1
    """How many jobs for it that follow each other in a lane are taken together."""

    @property
    def key(self) -> str:
        """What tells it from others, as text."""
        first = [getattr(self, each.name) for each in fields(self) if not each.kw_only]
        return ":".join(str(each) for each in (self.kind, *first) if each is not None)


@dataclass(frozen=True, slots=True)
class ReceiveMail(Task):
    """Read a mail that was accepted, and put it where it belongs."""

    kind = "receive"
    title = "reading a mail"
    run = 8
    intake: int
    _: KW_ONLY
    was_waiting: bool = False
    """It arrived while nobody looked, so that it counts for no limit of the hour."""


@dataclass(frozen=True, slots=True)
class HandleEvent(Task):
    """Do what somebody says in Matrix."""

    kind = share = "event"
    title = "a command"
    event: EventId


@dataclass(frozen=True, slots=True)
class ReadEventAgain(Task):
    """Read an event that could not be handled; empty ids were not in it. What it says is not kept:
    the homeserver has it."""

    kind = "parked"
    title = "reading an event"
    digest: str
    """Of what was heard."""
    _: KW_ONLY
    room_id: str = ""
    event_id: str = ""
    sender: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class BringPost(Task):
    """Bring a post into its room."""

    kind = "post"
    title = "writing into a room"
    post: int


@dataclass(frozen=True, slots=True)
class UploadFile(Task):
    """Upload the file of a post."""

    kind = share = "upload"
    title = "uploading a file"
    post: int


@dataclass(frozen=True, slots=True)
class Deliver(Task):
    """Attempt a delivery."""

    kind = share = "deliver"
    title = "sending a mail"
    delivery: int


@dataclass(frozen=True, slots=True)
class CopyToSent(Task):
    """Put a mail that was sent into the Sent folder."""

    kind = "copy"
    title = "a copy for the Sent folder"
    delivery: int


@dataclass(frozen=True, slots=True)
class ShowPreview(Task):
    """Show a mail as it will leave. What changes while one is made needs another one."""

    kind = share = "preview"
    title = "showing a draft"
    is_one = False
    delivery: int


@dataclass(frozen=True, slots=True)
class MakeRoom(Task):
    """Make the room of a conversation."""

    kind = "room"
    title = "making a room"
    number: Number


@dataclass(frozen=True, slots=True)
class SetUp(Task):
    """Make the control room, or a room or space of an inbox."""

    kind = "setup"
    title = "making a room of the bridge"
    role: Role
    inbox: InboxId | None = None


@dataclass(frozen=True, slots=True)
class Wake(Task):
    """Bring a snoozed conversation back at its time, epoch seconds."""

    kind = "wake"
    title = "the end of a snooze"
    number: Number
    until: float


@dataclass(frozen=True, slots=True)
class CallHook(Task):
    """Tell another program of a mail, as a rule wants it."""

    kind = share = "hook"
    title = "a webhook"
    mail: MailId
    rule: int
    """Which of the inbox's rules."""
    _: KW_ONLY
    url: str
    event: Content
    at: float

    @property
    def id(self) -> str:
        """By which the other side knows it again."""
        return f"hook-{self.mail}-{self.rule}"


@dataclass(frozen=True, slots=True)
class TestInbox(Task):
    """Try every step of an inbox, as `event` asks."""

    __test__ = False  # pytest would take it for one of its own

    kind, share = "test", "rest"
    title = "testing an inbox"
    event: EventId
    _: KW_ONLY
    inbox: InboxId


@dataclass(frozen=True, slots=True)
class Export(Task):
    """Upload the mails of conversations as mbox, as `event` asks."""

    kind, share = "export", "rest"
    title = "an export"
    event: EventId
    _: KW_ONLY
    place: str
    """Where the answer goes, as text of a Place."""
    numbers: tuple[Number, ...]
    name: str


@dataclass(frozen=True, slots=True)
class MakeReport(Task):
    """Count, as `event` asks."""

    kind, share = "report", "rest"
    title = "a report"
    event: EventId
    _: KW_ONLY
    period: str


@dataclass(frozen=True, slots=True)
class RehearseRules(Task):
    """Say what rules would have done with the last mails, as `event` asks."""

    kind, share = "rehearse", "rest"
    title = "a test of rules"
    event: EventId
    _: KW_ONLY
    inbox: InboxId
    text: str
    """Rules to try; empty for those of the inbox."""


@dataclass(frozen=True, slots=True)
class IndexWords(Task):
    """Have the search know mails of before there was one: the next ones after this."""

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
    """Its Message-IDs, too."""


@dataclass(frozen=True, slots=True)
class ForgetPerson(Task):
    """Take somebody out of another one's conversation."""

    kind, share = "forget", "rest"
    title = "erasing a person"
    number: Number
    spec: str


@dataclass(frozen=True, slots=True)
class RedactMentions(Task):
    """Redact what is said of an erased address outside of its rooms."""

    kind, share = "unsay", "rest"
    title = "erasing what was said here"
    spec: str


@dataclass(frozen=True, slots=True)
class EmptyLog(Task):
    """Empty the database's log, in which what a job erased still is."""

    kind, share = "scrub", "rest"
    title = "emptying the database's log"
    job: int


@dataclass(frozen=True, slots=True)
class AfterRestore(Task):
    """Tell people what has to be asked about after a restore."""

    kind = "restored"
    is_one = False
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
class Unreadable(Task):
    """A job of another version: it fails, is shown, and kept."""

    kind = title = ""
    name: str
    problem: str
