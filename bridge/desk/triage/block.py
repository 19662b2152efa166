"""`!block` and `!unblock`: mails of a blocked sender are kept as spam and notify nobody."""

from __future__ import annotations

import re

from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.triage import state
from bridge.mail.address import bare, is_free_mail
from bridge.model import Address, Conversation, Refused, Role, State, key_of
from bridge.ports import Tx

LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
DOMAIN = re.compile(rf"(?=.{{4,253}}\Z)(?:{LABEL}\.)+(?!\d){LABEL}")


async def block(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!block [ADDRESS|DOMAIN]`: block a sender; without argument, the conversation's contact."""
    conversation = context.conversation
    sender = _named(context.rest) if context.rest.strip() else conversation.contact.key
    if not sender:
        raise Refused("The contact of this conversation was erased.")
    if Address(sender).is_of(context.inbox.own) or sender in {
        own.rpartition("@")[2] for own in context.inbox.own
    }:
        raise Refused(f"{sender} is this inbox's own; nothing was changed.")
    if is_free_mail(sender):
        raise Refused(f"{sender} is the domain of very many people: block one address instead.")
    new = await tx.blocked.add(context.inbox.id, sender, context.who, desk.now())
    said = f"{sender} is blocked already."
    if new:
        said = f"{sender} is blocked: its mails are kept as spam and notify nobody."
    if _is_from(conversation, sender) and conversation.state is not State.SPAM:
        await state.set_state(tx, desk, conversation, State.SPAM)
        said += " This conversation is spam now."
    return f"{said} !unblock {sender} undoes it." if new else said


async def unblock(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!unblock [ADDRESS|DOMAIN]`: unblock a sender; without argument, list the blocked ones."""
    blocked = await tx.blocked.all(context.inbox.id)
    if not context.rest.strip():
        return f"Blocked in {context.inbox.name}: {', '.join(blocked[:100]) or 'nobody'}"
    sender = _named(context.rest)
    if not await tx.blocked.remove(context.inbox.id, sender):
        raise Refused(f"{sender} is not blocked; !unblock alone shows who is.")
    return f"{sender} is not blocked any more. Earlier mails stay spam until !reopen."


def _named(text: str) -> str:
    """The case-folded address or domain in a command. Raises Refused for anything else."""
    word = key_of(text.strip())
    if "@" in word.lstrip("@"):
        address = bare(text.strip())
        if address is not None:
            return address.key
    elif DOMAIN.fullmatch(word.lstrip("@")):
        return word.lstrip("@")
    raise Refused(f"{text.strip()[:80]} is no address and no domain, like x@spam.example.")


def _is_from(conversation: Conversation, sender: str) -> bool:
    return conversation.contact.key == sender or conversation.contact.key.endswith(
        (f"@{sender}", f".{sender}")
    )


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "block",
        Role.CONVERSATION,
        "[ADDRESS|DOMAIN]",
        "Keep all mail of an address or domain as spam that notifies nobody. Without one: of "
        "this contact.",
        block,
    ),
    CommandSpec(
        "unblock",
        Role.CONVERSATION,
        "[ADDRESS|DOMAIN]",
        "Unblock an address or a domain. Without one: show what is blocked.",
        unblock,
    ),
)
