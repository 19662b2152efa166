"""Runs the commands of the direct chat: those of queue rooms, for every inbox of the agent."""

from __future__ import annotations

from bridge.chat import render
from bridge.desk.command import Answer
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.events.commands import agent_command, help_content, unknown
from bridge.model import Content, Event, Refused, Role, Room
from bridge.ports import Tx


async def act(
    tx: Tx, desk: Desk, event: Event, room: Room, word: str, rest: str, *, is_private: bool
) -> Answer | None:
    """Run a command for each inbox that its sender answers, and join what they say. `is_private`:
    nobody but the sender and the bot is in the room. Raises Refused."""
    prefix = desk.settings.command_prefix
    if not is_private:
        raise Refused("Somebody else is here: I answer in a chat of you and me alone.")
    if word == "help":
        return help_content(desk, Role.DIRECT, rest)
    meant = agent_command(word, Role.DIRECT)
    if meant is None:
        raise Refused(unknown(word, Role.DIRECT, prefix))
    said: list[Answer] = []
    for inbox in desk.settings.inboxes.values():
        if await tx.rooms.is_agent(inbox.id, event.sender):
            found = await meant.act(tx, desk, CommandContext(event, room, inbox, rest=rest))
            said += [found] if found is not None and found not in said else []
    if not said:
        raise Refused("You answer no inbox: an admin adds you with !agent add.")
    return said[0] if len(said) == 1 else render.joined([_content(desk, each) for each in said])


def _content(desk: Desk, said: Answer) -> Content:
    return desk.quiet_message(said) if isinstance(said, str) else said
