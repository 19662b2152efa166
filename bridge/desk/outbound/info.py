"""`!info`: shows contact, state and recipients of a conversation."""

from __future__ import annotations

from bridge.chat import render
from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.outbound import overrides
from bridge.model import Role
from bridge.ports import Tx


async def info(tx: Tx, desk: Desk, context: CommandContext) -> str:
    letter = await tx.mails.latest(context.conversation.number)
    to = (await overrides.shown(tx, desk, context)).split("\n")[1:]
    return render.info(context.conversation, context.inbox, letter, to, desk.now())


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "info",
        Role.CONVERSATION,
        "",
        "Show the contact, state, agent and people of this conversation.",
        info,
        works_after_merge=True,
    ),
)
