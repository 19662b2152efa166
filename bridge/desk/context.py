"""One thing said by one person in one room, with everything an act needs to judge it."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bridge.config.inbox import Inbox
from bridge.model import Content, Conversation, Event, EventId, Mxid, Place, Refused, Room
from bridge.ports import Tx


@dataclass(frozen=True, slots=True)
class Request:
    """What an admin asks for in the control room."""

    event: Event
    rest: str
    """What stands behind the command's words, or the answer to a question."""

    @property
    def who(self) -> Mxid:
        return self.event.sender

    @property
    def words(self) -> list[str]:
        return self.rest.split()


@dataclass(frozen=True, slots=True)
class CommandContext:
    """An event that asks for something."""

    event: Event
    room: Room
    inbox: Inbox
    maybe_conversation: Conversation | None = None
    """None in the queue room."""
    points_at: EventId | None = None
    """What it replies to, or reacts on."""
    rest: str = ""
    """What stands behind the command word."""
    target: Content | None = None
    """What it points at, as it is now, where the act asked for it."""
    name: str = ""
    """How the speaker is called, where an act asked for it."""
    zone: ZoneInfo | None = None
    """Where the speaker's clock is, if their profile says so; else the server's zone counts."""

    @property
    def who(self) -> Mxid:
        return self.event.sender

    @property
    def where(self) -> Place:
        """Where to answer."""
        return self.room.place

    @property
    def conversation(self) -> Conversation:
        """The conversation; raises Refused where there is none."""
        if self.maybe_conversation is None:
            raise Refused("this works in a conversation's room")
        return self.maybe_conversation


async def came_before(tx: Tx, at: float) -> bool:
    """Whether something was said before a backup was restored and is only now heard of: what it
    led to happened, outside of what we know."""
    return at < float(await tx.settings.value("restored-at") or 0)
