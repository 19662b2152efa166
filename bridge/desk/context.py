"""The context of one command or reaction: who sent it, in which room, about which conversation."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bridge.config.inbox import Inbox
from bridge.model import Content, Conversation, Event, EventId, Mxid, Place, Refused, Room
from bridge.ports import Tx


@dataclass(frozen=True, slots=True)
class Request:
    """A command of an admin in the control room."""

    event: Event
    rest: str
    """The text after the command's words, or the answer to a question."""

    @property
    def who(self) -> Mxid:
        return self.event.sender

    @property
    def words(self) -> list[str]:
        return self.rest.split()


@dataclass(frozen=True, slots=True)
class CommandContext:
    """A command or reaction in an inbox's rooms, with everything its handler needs."""

    event: Event
    room: Room
    inbox: Inbox
    maybe_conversation: Conversation | None = None
    """The conversation of the room; None in the queue room."""
    points_at: EventId | None = None
    """The event it replies to, or reacts to."""
    rest: str = ""
    """The text after the command word."""
    target: Content | None = None
    """The current version of the event `points_at`, where the handler needs it."""
    sender_name: str = ""
    """The sender's display name, where the handler needs it."""
    zone: ZoneInfo | None = None
    """The sender's time zone, if their profile has one; otherwise the server's zone is used."""

    @property
    def who(self) -> Mxid:
        return self.event.sender

    @property
    def where(self) -> Place:
        """The place in which to answer."""
        return self.room.place

    @property
    def conversation(self) -> Conversation:
        """The conversation of the room. Raises Refused where there is none."""
        if self.maybe_conversation is None:
            raise Refused("this works in a conversation's room")
        return self.maybe_conversation


async def predates_restore(tx: Tx, at: float) -> bool:
    """Whether an event from time `at` was sent before a backup was restored, and received only
    now. The bridge may have acted on it already, and the restored database does not know."""
    return at < float(await tx.settings.value("restored-at") or 0)
