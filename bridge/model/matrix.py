"""Matrix events, and the rooms the bridge made."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model.ids import Content, EventId, InboxId, Mxid, Number, RoomId
from bridge.model.place import Place, Role


@dataclass(frozen=True, slots=True)
class Event:
    """A Matrix event as the homeserver sent it; times are epoch seconds."""

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

    @property
    def lane(self) -> str:
        return events_lane(self.room)


def events_lane(room: RoomId) -> str:
    """The lane of the jobs that handle a room's events."""
    return f"in:{room}"


@dataclass(frozen=True, slots=True)
class Room:
    """A Matrix room of the bridge: its role, inbox or conversation, and room version."""

    id: RoomId
    role: Role
    inbox: InboxId | None
    conversation: Number | None
    version: str

    @property
    def place(self) -> Place:
        if self.conversation is not None:
            return Place.of(self.conversation)
        if self.role is Role.DIRECT:
            return Place.at(self.id)
        return Place(self.role, self.inbox)
