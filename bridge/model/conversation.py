"""Conversations: one thread of mail with one contact, and how lists of them are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypedDict

from bridge.model.ids import EventId, InboxId, MailId, Mxid, Number, RoomId
from bridge.model.mail import Address


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


FINISHED_CONVERSATIONS = (State.CLOSED, State.SPAM)
"""States in which a conversation waits for nobody."""


VARIOUS = Address("various@invalid", "Various senders")
"""The contact of a conversation that holds mails of many: nobody that a mail could be sent to."""


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
    """The conversation in which this one goes on."""
    vacated: bool = False
    """Whether everybody left its room, because it was closed long ago."""
    renamed: bool = False
    """Whether an agent chose the subject, for the room and for what is sent."""

    @property
    def is_overflow(self) -> bool:
        """Whether it holds what came beyond the limits of new conversations."""
        return self.contact.spec == VARIOUS.spec


@dataclass(frozen=True, slots=True)
class NewConversation:
    """A conversation that is to be made."""

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
    """Whether somebody waits for an answer."""


class ConversationChanges(TypedDict, total=False):
    """What of a conversation can change."""

    inbox: InboxId
    contact: Address
    subject: str
    state: State
    changed_at: float
    waiting_since: float | None
    room: RoomId
    assignee: Mxid | None
    closed_at: float | None
    preview: str
    claim: Number | None
    snoozed_until: float | None
    reminded_at: float
    tags: tuple[str, ...]
    priority: Priority
    department: str
    merged: Number
    vacated: bool
    renamed: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """What a team knows of somebody who writes to an inbox."""

    id: int
    name: str
    notes: str
    specs: tuple[str, ...]
    """Every address of theirs, as written."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that a search found: of a mail, or a note that an event holds."""

    number: Number
    mail: MailId | None
    event: EventId | None
    who: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Timing:
    """One thing that happened at a time, and how many seconds it had taken."""

    at: float
    seconds: float
    tags: tuple[str, ...]
    agent: Mxid
    """Empty where nobody in particular did it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which conversations of an inbox are meant; what is not set holds for all."""

    state: State | None = None
    without: tuple[State, ...] = ()
    tag: str = ""
    department: str = ""
    assignee: Mxid | None = None
    unassigned: bool = False
