"""Places: a room named by its purpose, or by its id."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bridge.model.ids import InboxId, Number, RoomId


class Role(StrEnum):
    """Purpose of a room of the bridge."""

    CONTROL = "control"
    SPACE = "space"
    QUEUE = "queue"
    CONVERSATION = "conversation"
    DIRECT = "direct"
    """A chat of one person with the bot."""


@dataclass(frozen=True, slots=True)
class Place:
    """A room named by its purpose, even before it is created; or any room by its id."""

    role: Role | None
    inbox: InboxId | None = None
    conversation: Number | None = None
    room: RoomId | None = None

    @classmethod
    def queue(cls, inbox: InboxId) -> Self:
        return cls(Role.QUEUE, inbox)

    @classmethod
    def space(cls, inbox: InboxId) -> Self:
        return cls(Role.SPACE, inbox)

    @classmethod
    def of(cls, conversation: Number) -> Self:
        return cls(Role.CONVERSATION, conversation=conversation)

    @classmethod
    def at(cls, room: RoomId) -> Self:
        return cls(None, room=room)

    def __str__(self) -> str:
        """The form stored in the database; it is also the prefix of the lanes of jobs."""
        if self.role is None:
            return str(self.room)
        what = self.inbox if self.inbox is not None else self.conversation
        return self.role if what is None else f"{self.role}:{what}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The place that `str` wrote as `text`."""
        name, _, what = text.partition(":")
        role = next((each for each in Role if each == name), None)
        if role is None:
            return cls.at(RoomId(text))
        if role is Role.CONVERSATION:
            return cls.of(Number(int(what)))
        return cls(role, InboxId(what) if what else None)


CONTROL = Place(Role.CONTROL)
