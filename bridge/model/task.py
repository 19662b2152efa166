"""Tasks: one class for each kind of job, with the parameters of that job."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

from bridge.model.ids import Content, EventId, InboxId, MailId, Mxid, Number, RoomId
from bridge.model.place import Role


@dataclass(frozen=True, slots=True)
class Task:
    """What a job does. The positional fields identify a task; the keyword-only fields are further
    parameters."""

    kind: ClassVar[str]
    """Name in the column `kind` of the job table."""
    title: ClassVar[str]
    """Description of the task for admins."""
    share: ClassVar[str] = "mail"
    """Share of the worker's slots (job.SLOTS) that it uses."""
    is_unique: ClassVar[bool] = True
    """Whether only one unfinished job with the same key may exist."""
    run: ClassVar[int] = 1
    """Maximum number of consecutive jobs of this kind in a lane that are leased together."""

    @property
    def key(self) -> str:
        """Text that identifies the task: its kind and its positional fields."""
        first = [getattr(self, each.name) for each in fields(self) if not each.kw_only]
        return ":".join(str(each) for each in (self.kind, *first) if each is not None)


@dataclass(frozen=True, slots=True)
class ReceiveMail(Task):
    """Read an accepted mail and add it to its conversation."""

    kind = "receive"
    title = "reading a mail"
    run = 8
    intake: int
    _: KW_ONLY
    was_waiting: bool = False
    """Arrived during an outage or before, so it does not count towards the hourly limits."""


@dataclass(frozen=True, slots=True)
class HandleEvent(Task):
    """Run the command or reaction of a Matrix event."""

    kind = share = "event"
    title = "a command"
    event: EventId


@dataclass(frozen=True, slots=True)
class ReadEventAgain(Task):
    """Read an event again that could not be handled. Fields it did not have are empty. Its content
    is not stored, because the homeserver has it."""

    kind = "parked"
    title = "reading an event"
    digest: str
    """Digest of the received event."""
    _: KW_ONLY
    room_id: str = ""
    event_id: str = ""
    sender: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class BringPost(Task):
    """Send a post to its room."""

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
class TrySending(Task):
    """Log in to an outgoing server again through which no mail could be sent."""

    kind = "sending"
    share = "again"
    title = "trying the outgoing server"
    account: str


@dataclass(frozen=True, slots=True)
class CopyToSent(Task):
    """Append a sent mail to the Sent folder."""

    kind = "copy"
    title = "a copy for the Sent folder"
    delivery: int


@dataclass(frozen=True, slots=True)
class ShowPreview(Task):
    """Show the preview of a delivery. A change during one preview needs another preview."""

    kind = share = "preview"
    title = "showing a draft"
    is_unique = False
    delivery: int


@dataclass(frozen=True, slots=True)
class MakeRoom(Task):
    """Create the room of a conversation."""

    kind = "room"
    title = "making a room"
    number: Number


@dataclass(frozen=True, slots=True)
class RemakeRoom(MakeRoom):
    """Create a room for a conversation whose room is lost."""

    kind = "remake"
    title = "making a lost room anew"


@dataclass(frozen=True, slots=True)
class SetUp(Task):
    """Create the control room, or the queue room or space of an inbox."""

    kind = "setup"
    title = "making a room of the bridge"
    role: Role
    inbox: InboxId | None = None


@dataclass(frozen=True, slots=True)
class FillRoom(Task):
    """Store who is in a room that SetUp made or found, set its content and invite people.

    In the lane of the room's events, so that nobody's joining is handled at the same time: a list
    of members that was fetched before would undo it.
    """

    kind = "fill"
    title = "setting a room of the bridge up"
    role: Role
    inbox: InboxId | None = None
    _: KW_ONLY
    made: bool
    """Whether the room is new and was created with name and topic."""


@dataclass(frozen=True, slots=True)
class MakeDirect(Task):
    """Make the direct chat of a person with the bot, or invite them there again."""

    kind = "direct"
    title = "making a direct chat"
    who: Mxid
    _: KW_ONLY
    event: EventId
    """The invitation or message that asked for it."""
    asked_in: RoomId
    invited: bool
    """Whether the person invited the bot, rather than write to it."""


@dataclass(frozen=True, slots=True)
class Wake(Task):
    """Reopen a snoozed conversation at `until`, in epoch seconds."""

    kind = "wake"
    title = "the end of a snooze"
    number: Number
    until: float


@dataclass(frozen=True, slots=True)
class CallHook(Task):
    """Call the webhook of a rule for a mail."""

    kind = share = "hook"
    title = "a webhook"
    mail: MailId
    rule: int
    """Number of the rule among the inbox's rules."""
    _: KW_ONLY
    url: str
    event: Content
    at: float

    @property
    def id(self) -> str:
        """The webhook id, by which the receiver recognises a repeated call."""
        return f"hook-{self.mail}-{self.rule}"


@dataclass(frozen=True, slots=True)
class Unreadable(Task):
    """A job that this version cannot read: it fails, is shown to admins, and is kept."""

    kind = title = ""
    name: str
    problem: str
