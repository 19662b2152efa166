"""Conversations (one thread of mail with one contact each), their contacts, and list filters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypedDict

from bridge.model.address import Address
from bridge.model.ids import EventId, InboxId, MailId, Mxid, Number, RoomId


class Priority(IntEnum):
    """How urgent a conversation is."""

    LOW = -1
    NORMAL = 0
    HIGH = 1


class State(StrEnum):
    """State of a conversation: whose turn it is."""

    OPEN = "open"
    ANSWERED = "answered"
    SNOOZED = "snoozed"
    CLOSED = "closed"
    SPAM = "spam"


FINISHED_CONVERSATIONS = (State.CLOSED, State.SPAM)
"""States in which nobody has to act on a conversation."""


VARIOUS = Address("various@invalid", "Various senders")
"""Placeholder contact of a conversation that collects mails of many senders; not a real address."""


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
    department: str = ""
    merged: Number | None = None
    """The conversation that this one was merged into."""
    vacated: bool = False
    """Whether all members left its room because it was closed long ago."""
    renamed: bool = False
    """Whether an agent set the subject; it then names the room and is the subject of replies."""

    @property
    def is_overflow(self) -> bool:
        """Whether it collects the mails that exceed the limits on new conversations."""
        return self.contact.spec == VARIOUS.spec


@dataclass(frozen=True, slots=True)
class NewConversation:
    """The values of a conversation that is not stored yet."""

    inbox: InboxId
    contact: Address
    subject: str
    at: float
    preview: str
    files: str = ""
    """Names of the files of its first mail, for the card."""
    claim: Number | None = None
    follows: Number | None = None
    waits: bool = True
    """Whether its contact waits for an answer."""


class ConversationChanges(TypedDict, total=False):
    """The columns of a conversation that can be updated."""

    inbox: InboxId
    contact: Address
    subject: str
    state: State
    changed_at: float
    waiting_since: float | None
    room: RoomId | None
    assignee: Mxid | None
    closed_at: float | None
    preview: str
    claim: Number | None
    snoozed_until: float | None
    reminded_at: float
    tags: tuple[str, ...]
    priority: Priority
    department: str
    merged: Number | None
    vacated: bool
    renamed: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who writes to an inbox, with the notes the team keeps on them."""

    id: int
    name: str
    notes: str
    specs: tuple[str, ...]
    """All addresses of this person, as written."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text found by a search: from a mail, or from an agent's note (a Matrix event)."""

    number: Number
    mail: MailId | None
    event: EventId | None
    who: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Timing:
    """One counted event of a report: when it happened, and how many seconds it had taken."""

    at: float
    seconds: float
    tags: tuple[str, ...]
    agent: Mxid
    """Empty if no single agent did it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects conversations of an inbox; a field that is not set matches all of them."""

    state: State | None = None
    without: tuple[State, ...] = ()
    tag: str = ""
    department: str = ""
    assignee: Mxid | None = None
    unassigned: bool = False
