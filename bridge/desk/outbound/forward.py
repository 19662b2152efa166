"""`!forward`: sends mails of a conversation to somebody else, never messages of the room."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.chat import command
from bridge.config.inbox import Inbox
from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk, mail_meant
from bridge.desk.outbound import dispatch
from bridge.mail.compose import forward_subject
from bridge.model import (
    Address,
    Delivery,
    EventId,
    Form,
    Letter,
    Number,
    Recipient,
    Refused,
    Role,
    key_of,
)
from bridge.ports import Tx

USAGE = "Say to whom: !forward ADDRESS… [TEXT]. As a reply to a mail it forwards that mail."


async def forward(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """Forward the mail it replies to, otherwise the newest incoming one; `all`: every mail, sent
    ones included."""
    takes_all, addresses, _ = command.forwarded(context.rest)
    if not addresses:
        raise Refused(USAGE)
    refuse_own(desk, context.inbox, addresses)
    letters = await _meant(tx, context.conversation.number, context.points_at, takes_all=takes_all)
    wanted = Delivery(
        inbox=context.inbox.id, conversation=context.conversation.number, source=context.event.id,
        requested_by=context.event.id, agent=context.who,
        subject=forward_subject(letters[-1].subject or context.conversation.subject),
        run_at=desk.now() + context.inbox.undo, created_at=desk.now(),
        recipients=recipients(context.inbox, addresses), form=Form.FORWARD,
        letters=tuple(letter.id for letter in letters),
        files=tuple(dispatch.captioned_file(context)),
    )  # fmt: skip
    await dispatch.create_delivery(tx, desk, context, wanted, "")
    return None


async def amend(
    tx: Tx, desk: Desk, delivery: Delivery, addresses: Sequence[Address], *, takes_all: bool
) -> None:
    """Apply an edit of `!forward`: change the recipients and, where `all` was added or removed, the
    mails."""
    people = recipients(desk.inbox(delivery.inbox), addresses)
    await tx.deliveries.set_recipients(delivery.id, people)
    said = await tx.events.get(delivery.requested_by)
    if said is None or (not takes_all and len(delivery.letters) == 1):
        return  # keep the mail chosen first: a newer one may have come since
    target = command.replied_to(said.content)
    letters = await _meant(tx, delivery.conversation, target, takes_all=takes_all)
    await tx.deliveries.update(
        delivery.id, letters=tuple(letter.id for letter in letters),
        subject=forward_subject(letters[-1].subject or delivery.subject),
    )  # fmt: skip


async def _meant(
    tx: Tx, number: Number, target: EventId | None, *, takes_all: bool
) -> Sequence[Letter]:
    if target is not None and not takes_all:
        letter = await mail_meant(tx, number, target)
        if letter is None:
            raise Refused("That is no mail of this conversation; nothing was forwarded.")
        return [letter]
    letters = await tx.mails.of_conversation(number)
    if not letters:
        raise Refused("This conversation has no mail to forward.")
    came = [letter for letter in letters if not letter.outbound]
    return letters if takes_all else (came or letters)[-1:]


def recipients(inbox: Inbox, addresses: Sequence[Address]) -> tuple[Recipient, ...]:
    """The addresses as To recipients, and those that get a blind copy of every mail."""
    named = {each.key: Recipient(each, "to") for each in addresses}
    for spec in inbox.bcc:
        named.setdefault(key_of(spec), Recipient(Address(spec), "bcc"))
    return tuple(named.values())


def refuse_own(desk: Desk, inbox: Inbox, addresses: Sequence[Address]) -> None:
    """Raises Refused where an address is one of our own inboxes."""
    for each in addresses:
        if each.is_of(desk.own_addresses):
            raise Refused(f"{each.spec} is an inbox of ours; nothing was sent from {inbox.name}.")


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "forward",
        Role.CONVERSATION,
        "[all] ADDRESS… [TEXT]",
        "Forward the newest incoming mail to somebody else, with its files. As a reply to a "
        "mail: that mail. all forwards the whole conversation. What you say in the room is "
        "never forwarded.",
        forward,
    ),
)
