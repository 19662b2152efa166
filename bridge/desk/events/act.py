"""Checks which sender may use which command or reaction in which room, and runs its handler."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bridge.desk.command import Answer, CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext, predates_restore
from bridge.desk.desk import Desk
from bridge.desk.events import direct
from bridge.desk.events.commands import AGENT_COMMANDS, unknown
from bridge.model import (
    Content,
    Event,
    EventId,
    Number,
    Post,
    PostKey,
    Refused,
    Role,
    Room,
    Shows,
    words,
)
from bridge.ports import Tx


@dataclass(frozen=True, slots=True)
class Said:
    """A received command or reaction, with what its handler needs from the homeserver."""

    event: Event
    room: Room
    meant: CommandSpec[CommandContext] | ReactionSpec | None
    """The command or reaction; None for a command that does not exist in this room."""
    word: str = ""
    rest: str = ""
    points_at: EventId | None = None
    target: Content | None = None
    zone: ZoneInfo | None = None
    name: str = ""
    is_private: bool = False
    """Whether nobody but the sender and the bot is in the room, where that matters."""


async def act(tx: Tx, desk: Desk, said: Said) -> Answer | None:
    """Check sender and room, then run the handler. Returns the answer, or the reason of a refusal,
    which changes nothing."""
    try:
        return await _check_and_run(tx, desk, said)
    except Refused as refusal:
        return str(refusal)


async def _check_and_run(tx: Tx, desk: Desk, said: Said) -> Answer | None:
    event, room, meant = said.event, said.room, said.meant
    if room.role is Role.DIRECT and not isinstance(meant, ReactionSpec):
        return await direct.act(
            tx, desk, event, room, said.word, said.rest, is_private=said.is_private
        )
    if room.inbox is None:
        return None
    inbox, prefix = desk.inbox(room.inbox), desk.settings.command_prefix
    if not await tx.rooms.is_agent(inbox.id, event.sender):
        if not _is_told(said):
            return None
        raise Refused(f"Only agents of {inbox.name} can do that; nothing was done.")
    if meant is None:
        raise Refused(unknown(said.word, room.role, prefix))
    if isinstance(meant, ReactionSpec):
        post = await tx.posts.by_event(said.points_at) if said.points_at is not None else None
        if not _is_on(meant, post, room):
            return None
        number = room.conversation or (post.key.conversation if post is not None else None)
        if number is None:
            return None
    else:
        number = room.conversation or _named(said.rest, meant)
    if number is not None and not await tx.conversations.exists(inbox.id, number):
        raise Refused(f"There is no #{number} in {inbox.name}.")
    if meant.is_answer and await predates_restore(tx, event.at):
        # this answer may already have sent a mail, which the restored database does not know
        if isinstance(meant, ReactionSpec):
            return None
        raise Refused("That was said before a backup was restored; say it again if it counts.")
    conversation = await tx.conversations.get(number) if number is not None else None
    works_after = isinstance(meant, CommandSpec) and meant.works_after_merge
    if conversation is not None and conversation.merged is not None and not works_after:
        raise Refused(
            f"This conversation goes on in #{conversation.merged}; nothing was done here."
        )
    context = CommandContext(
        event,
        room,
        inbox,
        conversation,
        said.points_at,
        said.rest,
        said.target,
        said.name,
        said.zone,
    )
    return await meant.act(tx, desk, context)


def _is_told(said: Said) -> bool:
    """Whether somebody who is not an agent is told so: not for text that only looks like a command,
    nor for reactions that people also use on ordinary messages."""
    if isinstance(said.meant, ReactionSpec):
        return said.meant.on is None
    return any(each.word == said.word for each in AGENT_COMMANDS)


def _is_on(reaction: ReactionSpec, post: Post | None, room: Room) -> bool:
    """Whether a reaction is on the kind of post that it works on."""
    if reaction.on is None:
        return True
    if post is None or post.key.shows is not reaction.on or post.place != room.place:
        return False
    number = post.key.conversation
    # after !move the conversation has a new card, and reactions to the old one do nothing
    is_old = number is not None and post.key != PostKey.of_conversation(Shows.CARD, number)
    return not (reaction.on is Shows.CARD and is_old)


def _named(rest: str, command: CommandSpec[CommandContext]) -> Number | None:
    """The conversation that a command in the queue room names; None where the command names none.
    Raises Refused where the number is missing."""
    if not command.names_conversation:
        return None
    number = words.number(rest)
    if number is None:
        raise Refused("Say which: !take NUMBER, or press ✋ on its card.")
    return Number(number)
