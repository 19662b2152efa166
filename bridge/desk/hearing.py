"""One thing said by one person in one room, with everything an act needs to judge it."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config import Inbox
from bridge.model import Content, Conversation, Event, Mxid, Place, Refused


@dataclass(frozen=True, slots=True)
class Hearing:
    """An event that asks for something. `target` is the event it is about, as it is now."""

    event: Event
    place: Place
    inbox: Inbox
    conversation: Conversation | None = None
    rest: str = ""
    """What stands behind the command word."""
    target: Content | None = None
    target_name: str = ""

    @property
    def who(self) -> Mxid:
        return self.event.sender

    @property
    def where(self) -> str:
        """The symbolic place to answer in."""
        if self.place.conversation is not None:
            return f"conversation:{self.place.conversation}"
        return f"{self.place.role}:{self.place.inbox}" if self.place.inbox else self.place.role

    @property
    def about(self) -> Conversation:
        """The conversation; raises Refused where there is none."""
        if self.conversation is None:
            raise Refused("this works in a conversation's room")
        return self.conversation
