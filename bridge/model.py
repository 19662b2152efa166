"""The words of the house: mails, conversations, deliveries, posts, jobs, and the error tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NewType

InboxId = NewType("InboxId", str)
Number = NewType("Number", int)
"""A conversation's number, one series per installation."""
MailId = NewType("MailId", int)
RoomId = NewType("RoomId", str)
EventId = NewType("EventId", str)
Mxid = NewType("Mxid", str)
MessageId = NewType("MessageId", str)
"""An RFC 5322 msg-id with its angle brackets."""
Content = dict[str, Any]
"""The content of a Matrix event: JSON without floats."""


class BridgeError(Exception):
    """Root of every error the bridge raises on purpose; the text is for a person.

    BridgeError
      Transient     try again, for ever; never counted against a job
      Permanent     tell a human
        Refused     a person asked for what cannot be done
        LostLease   another worker owns the job now
    """


class Transient(BridgeError):
    """Something outside is away or busy. `retry_after` is in seconds, where the peer named one."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Permanent(BridgeError):
    """Trying again without a change will not help."""


class Refused(Permanent):
    """A person asked for something that cannot be done; the text names the thing and the cure."""


class LostLease(Permanent):
    """This worker no longer owns the job it wants to finish."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of RFC 5322 §3.4: written in its original form, compared by `key`."""

    spec: str
    name: str = ""

    @property
    def key(self) -> str:
        return self.spec.casefold()

    @property
    def untagged(self) -> str:
        """The key without a +tag: mail to support+x@ is mail to support@."""
        local, at, domain = self.key.rpartition("@")
        return local.partition("+")[0] + at + domain

    def is_of(self, own: frozenset[str]) -> bool:
        """Whether this is one of the addresses `own`, case-folded, or a +tag of one."""
        return self.key in own or self.untagged in own

    @property
    def domain(self) -> str:
        return self.key.rpartition("@")[2]

    def __str__(self) -> str:
        return f"{self.name} <{self.spec}>" if self.name else self.spec


@dataclass(frozen=True, slots=True)
class Attachment:
    """One leaf of a mail that is a file. `part` is its index in the depth-first walk."""

    part: int
    name: str
    type: str
    size: int
    """Bytes after transfer decoding."""
    content_id: str = ""
    inline: bool = False


class Nature(StrEnum):
    """What kind of sender a mail has (RFC 3834)."""

    PERSON = "person"
    AUTOMATIC = "automatic"
    LIST = "list"
    BOUNCE = "bounce"
    """A report on the delivery of a mail, whatever it says (RFC 3464)."""
    RECEIPT = "receipt"
    """A report that a mail was read (RFC 8098)."""


class Verdict(StrEnum):
    """What the configured authserv-id said of a mail's sender (RFC 8601)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a DMARC result, not a password
    FAIL = "fail"


class Fate(StrEnum):
    """What became of one recipient."""

    PENDING = "pending"
    SENT = "sent"
    """Our outgoing server took it."""
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DELAYED = "delayed"
    """Taken, and a later server says that it goes on trying."""
    READ = "read"
    BOUNCED = "bounced"
    """Taken, and a later server gave it back."""

    @property
    def arrived(self) -> bool:
        """Whether our outgoing server took it, and nobody gave it back since."""
        return self in (Fate.SENT, Fate.DELAYED, Fate.READ)


@dataclass(frozen=True, slots=True)
class Report:
    """What a bounce, a delay or a receipt says of a mail that was sent."""

    originals: tuple[MessageId, ...]
    """Message-IDs the report may be about, most likely first."""
    fates: Mapping[str, tuple[Fate, str]]
    """Of each address, case-folded: BOUNCED, DELAYED or READ, and why."""
    senders: frozenset[str] = frozenset()
    """Who had sent the mail that came back, as far as it did, case-folded."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One parsed message. Texts are clean Unicode; `problem` says why it could not be read."""

    message_id: MessageId
    body_hash: str
    sender: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    recipients: tuple[str, ...] = ()
    """Every address-spec the mail was sent to, trace headers included, case-folded."""
    subject: str = ""
    date: float = 0.0
    in_reply_to: tuple[MessageId, ...] = ()
    references: tuple[MessageId, ...] = ()
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    nature: Nature = Nature.PERSON
    verdict: Verdict = Verdict.NONE
    notes: tuple[str, ...] = ()
    """What should stand above the text: invitations, encryption."""
    report: Report | None = None
    problem: str = ""

    def ancestors(self) -> tuple[MessageId, ...]:
        """Ids this mail answers, nearest first (RFC 5322 §3.6.4)."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail of the store, in or out, as later acts need it (a row, without its bytes)."""

    id: MailId
    inbox: InboxId
    conversation: Number
    outbound: bool
    message_id: MessageId
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    subject: str
    references: tuple[MessageId, ...]
    nature: Nature
    verdict: Verdict
    new_addresses: tuple[str, ...]
    at: float
    raw: int | None


class Priority(IntEnum):
    """What is looked at first."""

    LOW = -1
    NORMAL = 0
    HIGH = 1


class State(StrEnum):
    """Whose turn it is in a conversation."""

    OPEN = "open"
    ANSWERED = "answered"
    SNOOZED = "snoozed"
    CLOSED = "closed"
    SPAM = "spam"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One thread of mail with one contact, and the room it lives in."""

    number: Number
    inbox: InboxId
    contact: Address
    subject: str
    state: State
    created_at: float
    changed_at: float
    waiting_since: float | None
    """When the customer began to wait, epoch seconds; None when they do not."""
    room: RoomId | None = None
    assignee: Mxid | None = None
    closed_at: float | None = None
    preview: str = ""
    files: str = ""
    claim: Number | None = None
    follows: Number | None = None
    snoozed_until: float | None = None
    tags: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    renamed: bool = False
    """Whether an agent chose the subject, for the room and for what is sent."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which conversations of an inbox are meant; what is not set holds for all."""

    state: State | None = None
    without: tuple[State, ...] = ()
    tag: str = ""
    assignee: Mxid | None = None
    unassigned: bool = False


class DeliveryState(StrEnum):
    """Where an outgoing mail stands; everything from SENT on is final."""

    ASKING = "asking"
    WAITING = "waiting"
    SENDING = "sending"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE = (
    DeliveryState.ASKING,
    DeliveryState.WAITING,
    DeliveryState.SENDING,
    DeliveryState.DEFERRED,
    DeliveryState.UNKNOWN,
    DeliveryState.SENT,
)
"""States in which a source message may not be sent once more."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One envelope recipient of a delivery. `field` is to, cc or bcc."""

    address: Address
    field: str
    fate: Fate = Fate.PENDING
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One mail on its way out, made by one explicit act of one agent."""

    id: int
    inbox: InboxId
    conversation: Number
    source: EventId
    """The message that is sent."""
    order: EventId
    """The event that said so: the command, or the reaction."""
    agent: Mxid
    state: DeliveryState
    answers: MailId | None
    files: tuple[EventId, ...]
    subject: str
    message_id: MessageId | None
    run_at: float
    attempts: int
    data_begun: bool
    detail: str
    created_at: float
    finished_at: float | None
    recipients: tuple[Recipient, ...] = ()


class Kind(StrEnum):
    """What a post puts into Matrix."""

    MESSAGE = "message"
    STATE = "state"
    REACTION = "reaction"
    REDACTION = "redaction"
    INVITE = "invite"
    KICK = "kick"
    ENTER = "enter"


@dataclass(frozen=True, slots=True)
class Post:
    """One thing wanted in Matrix. A higher `version` than `sent` means the room is behind."""

    id: int
    key: str
    lane: str
    place: str
    """Symbolic room: `control`, `queue:INBOX`, `space:INBOX`, `conversation:N` or a room id."""
    sender: str
    kind: Kind
    type: str
    state_key: str
    content: Content
    version: int
    sent: int
    event: EventId | None
    target: str
    """Key of the post, or event id, this one relates to; empty for none."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail on its way to the media repository: which raw mail, which part."""

    raw: int
    attachment: Attachment
    mxc: str
    """Empty until an address is reserved."""
    done: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A Matrix event as the homeserver gave it to us."""

    id: EventId
    room: RoomId
    sender: Mxid
    type: str
    content: Content
    at: float
    state_key: str | None = None
    redacts: EventId | None = None
    prev_membership: str = ""
    seen_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """One step to be done. Within a lane only the oldest unfinished one runs."""

    id: int
    kind: str
    lane: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    failures: int = 0
    leases: int = 0
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What a Matrix room is to us."""

    room: RoomId
    role: str  # control, space, queue or conversation
    inbox: InboxId | None
    conversation: Number | None
    version: str
