"""What we want in Matrix, and what comes from there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.ids import Content, EventId, InboxId, Mxid, Number, RoomId
from bridge.model.mail import Attachment


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
class Place:
    """What a Matrix room is to us."""

    room: RoomId
    role: str  # control, space, queue or conversation
    inbox: InboxId | None
    conversation: Number | None
    version: str
