"""`!compose`: starts a conversation with an outgoing mail."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.chat import command, render
from bridge.chat.preview import preview_of
from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.outbound import dispatch
from bridge.desk.outbound.forward import recipients, refuse_own
from bridge.desk.rooms import picture
from bridge.desk.rooms.refresh import refresh
from bridge.mail.charset import clean_line
from bridge.model import (
    Address,
    Delivery,
    Form,
    Number,
    Place,
    PostKey,
    Refused,
    Role,
    Shows,
    Wanted,
)
from bridge.model.conversation import NewConversation
from bridge.model.task import MakeRoom
from bridge.ports import Tx

USAGE = "Say to whom, about what, and the text on the next lines:\n!compose ADDRESS… SUBJECT\nTEXT"


async def compose(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """Start a conversation with the first address, assigned to the agent who sent the command."""
    addresses, rest = command.addressed(context.rest)
    first, _, text = rest.partition("\n")
    subject, text = clean_line(first, 300), text.strip()
    if not (addresses and subject and text):
        raise Refused(USAGE)
    dispatch.require_can_send(context.inbox)
    refuse_own(desk, context.inbox, addresses)
    if await tx.deliveries.of_source(context.event.id) is not None:
        return None  # the event was received twice
    now, inbox, contact = desk.now(), context.inbox, addresses[0]
    new = NewConversation(inbox.id, contact, subject, now, preview_of(text), waits=False)
    conversation = await tx.conversations.create(new)
    conversation = await tx.conversations.update(conversation.number, assignee=context.who)
    await tx.conversations.add_participants(conversation.number, [each.spec for each in addresses])
    lane = f"{Place.of(conversation.number)}:out"
    await tx.jobs.add(MakeRoom(conversation.number), lane)
    await picture.join_contact_ghost(tx, desk, conversation.number, contact)
    await show_text(tx, desk, conversation.number, context.who, text)
    wanted = Delivery(
        inbox=inbox.id,
        conversation=conversation.number,
        source=context.event.id,
        requested_by=context.event.id,
        agent=context.who,
        subject=subject,
        run_at=now + inbox.undo,
        created_at=now,
        recipients=recipients(inbox, addresses),
        form=Form.COMPOSE,
        files=tuple(dispatch.captioned_file(context)),
    )
    await dispatch.create_delivery(tx, desk, context, wanted, "")
    return f"#{conversation.number} is begun and yours: its room shows the mail on its way."


async def amend(
    tx: Tx, desk: Desk, delivery: Delivery, addresses: Sequence[Address], subject: str, text: str
) -> None:
    """Apply an edit of `!compose`: change recipients, contact, subject and shown text."""
    number, contact = delivery.conversation, addresses[0]
    people = recipients(desk.inbox(delivery.inbox), addresses)
    await tx.deliveries.set_recipients(delivery.id, people)
    await tx.deliveries.update(delivery.id, subject=subject)
    before = await tx.conversations.participants(number)
    await tx.conversations.remove_participants(number, sorted(before))
    await tx.conversations.add_participants(number, [each.spec for each in addresses])
    conversation = await tx.conversations.update(
        number, contact=contact, subject=subject, preview=preview_of(text), changed_at=desk.now(),
    )  # fmt: skip
    await picture.join_contact_ghost(tx, desk, number, contact)
    await show_text(tx, desk, number, delivery.agent, text)
    await refresh(tx, desk, conversation)


async def show_text(tx: Tx, desk: Desk, number: Number, who: str, text: str) -> None:
    """Show the text of the mail in its own room, as it was written in the queue room."""
    key = PostKey.of_conversation(Shows.OPENING, number)
    content = render.notice(f"{who} writes:\n\n{text}")
    await tx.posts.put(Wanted.message(key, Place.of(number), desk.bot, content))


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "compose",
        Role.QUEUE,
        "ADDRESS… SUBJECT",
        "Begin a conversation by email, with the text on the lines below.",
        compose,
    ),
)
