"""`!to !cc !bcc`: show or change the recipients of the next emails of a conversation."""

from __future__ import annotations

import re

from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.outbound import recipients
from bridge.mail.address import bare
from bridge.model import Refused, Role
from bridge.ports import Tx


async def change_to(tx: Tx, desk: Desk, context: CommandContext) -> str:
    return await _change(tx, desk, context, "to")


async def change_cc(tx: Tx, desk: Desk, context: CommandContext) -> str:
    return await _change(tx, desk, context, "cc")


async def change_bcc(tx: Tx, desk: Desk, context: CommandContext) -> str:
    return await _change(tx, desk, context, "bcc")


async def _change(tx: Tx, desk: Desk, context: CommandContext, field: str) -> str:
    """Add and remove addresses of one field, for all later emails; then show the recipients."""
    number = context.conversation.number
    changes: list[tuple[str, bool]] = []
    for word in re.split(r"[\s,]+", context.rest.strip()):
        if not word:
            continue
        found = bare(word.lstrip("+-"))
        if found is None:
            raise Refused(f"{word[:100]} is not a valid email address; nothing was changed.")
        if found.is_of(context.inbox.own):
            raise Refused(f"{found.spec} is this inbox itself; nothing was changed.")
        changes.append((found.spec, not word.startswith("-")))
    for spec, present in changes:
        await tx.conversations.override(number, field, spec, present)
    return await shown(tx, desk, context)


async def shown(tx: Tx, desk: Desk, context: CommandContext) -> str:
    """The recipients of an answer to the latest mail, as text."""
    conversation = context.conversation
    letter = await tx.mails.latest(conversation.number) or await tx.mails.newest(
        conversation.number
    )
    addressed = await recipients.of(tx, desk, context.inbox, conversation, letter)
    lines = []
    for name in ("to", "cc", "bcc"):
        specs = [str(each.address) for each in addressed.recipients if each.field == name]
        if specs:
            lines.append(f"{name.capitalize()}: {', '.join(specs)}")
    return "The next email goes\n" + "\n".join(lines or ["to nobody"])


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "to",
        Role.CONVERSATION,
        "[+ADDRESS…] [-ADDRESS…]",
        "Show the recipients of the next emails, or add and remove some until you change "
        "them again.",
        change_to,
    ),
    CommandSpec(
        "cc",
        Role.CONVERSATION,
        "[+ADDRESS…] [-ADDRESS…]",
        "The same for copies (Cc).",
        change_cc,
    ),
    CommandSpec(
        "bcc",
        Role.CONVERSATION,
        "[+ADDRESS…] [-ADDRESS…]",
        "The same for blind copies (Bcc).",
        change_bcc,
    ),
)
