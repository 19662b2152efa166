"""Creates a delivery, shows its status, and schedules its attempt."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import render, status
from bridge.chat.command import is_file
from bridge.config.inbox import Inbox
from bridge.desk.context import CommandContext, predates_restore
from bridge.desk.desk import Desk
from bridge.desk.outbound import approval
from bridge.mail import limits
from bridge.mail.html import from_text
from bridge.model import (
    PREVIEWED_DELIVERIES,
    Content,
    Delivery,
    DeliveryState,
    EventId,
    Form,
    Place,
    PostKey,
    Refused,
    Shows,
    Wanted,
)
from bridge.model.task import Deliver, ShowPreview
from bridge.ports import Tx

LATE = 3600.0
"""Seconds of delay after which a command to send needs a confirmation first."""
STATES_WITH_STATUS_SIGN = (
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.DEFERRED,
    DeliveryState.UNKNOWN,
    DeliveryState.BOUNCED,
)


def require_can_send(inbox: Inbox) -> None:
    """Raises Refused for an inbox that sends nothing."""
    if inbox.paused or not inbox.sends:
        why = "only receives mail" if inbox.smtp is not None else "has no outgoing server"
        why = "is paused" if inbox.paused else why
        raise Refused(f"Inbox {inbox.name} {why}; nothing was sent. An admin can change that.")


async def create_delivery(
    tx: Tx,
    desk: Desk,
    context: CommandContext,
    wanted: Delivery,
    question: str,
    *,
    is_draft: bool = False,
) -> Delivery | None:
    """Create the delivery an agent ordered; it waits for its undo time, or for somebody's yes.
    None where its source message has a live delivery already."""
    inbox, now = context.inbox, desk.now()
    require_can_send(inbox)
    if await predates_restore(tx, context.event.at):
        question = f"This was written {render.clock(context.event.at, now)}, before a backup was"
        question += " restored, and may have been sent already. Send it?"
    elif now - context.event.at > LATE:
        question = f"This was written {render.clock(context.event.at, now)} and only now arrived."
        question += " Send it still?"
    state = DeliveryState.WAITING
    if is_draft:
        state = DeliveryState.DRAFT
    elif question:
        state = DeliveryState.ASKING
    elif await approval.is_needed(tx, inbox, wanted):
        state = DeliveryState.APPROVING
    delivery = await tx.deliveries.create(replace(wanted, state=state), question)
    if delivery is None:
        return None
    await show_status(tx, desk, delivery)
    if state is DeliveryState.WAITING:
        await schedule_attempt(tx, delivery)
    return delivery


async def schedule_attempt(tx: Tx, delivery: Delivery) -> None:
    """Schedule the attempt at `run_at`, behind earlier deliveries of the conversation; one that an
    agent planned for later keeps none back."""
    lane = f"{Place.of(delivery.conversation)}:mail"
    if delivery.planned_for:
        lane = f"{lane}:{delivery.id}"
    await tx.jobs.add(Deliver(delivery.id), lane, run_after=delivery.run_at)


def status_of(desk: Desk, delivery: Delivery, content: Content) -> Wanted:
    """The post that shows the status of a delivery. It replies to the source message, unless that
    is in another room (`!compose`) or does not exist (an automatic answer)."""
    return beside(desk, delivery, PostKey.of_delivery(Shows.STATUS, delivery.id), content)


def beside(desk: Desk, delivery: Delivery, key: PostKey, content: Content) -> Wanted:
    """A post in the conversation's room that replies to the source message, in the same cases."""
    elsewhere = delivery.form in (Form.COMPOSE, Form.AUTOMATIC)
    place = Place.of(delivery.conversation)
    target = None if elsewhere else delivery.source
    return Wanted.message(key, place, desk.bot, content, target)


async def show_status(tx: Tx, desk: Desk, delivery: Delivery) -> None:
    """Show a delivery's state: its one status message, and a reaction on the source message."""
    if delivery.state in PREVIEWED_DELIVERIES:  # needs the homeserver, so it is a job of its own
        # a lane of its own: a file that cannot be downloaded must not delay mails of the room
        lane = f"preview:{delivery.id}"
        await tx.jobs.add(ShowPreview(delivery.id), lane)
        return
    text = status.text(delivery, await tx.deliveries.question(delivery.id), desk.now())
    text = desk.with_prefix(text)
    content = render.notice(text)
    if delivery.form is Form.SNIPPET:  # no other message in the room shows the text
        quoted = f"{from_text(text)}<blockquote>{from_text(delivery.text)}</blockquote>"
        content = render.text_message(f"{text}\n\n{delivery.text}", quoted, notice=True)
        content[render.QUOTES] = "snippet"
    shown = status_of(desk, delivery, content)
    await tx.posts.put(shown)
    if delivery.form is Form.AUTOMATIC:
        return
    sign = status.SIGNS[delivery.state] if delivery.state in STATES_WITH_STATUS_SIGN else ""
    key = PostKey.other(Shows.SIGN, delivery.source)
    if sign or await tx.posts.by_key(key) is not None:
        said_in = shown.place if shown.target else Place.queue(delivery.inbox)
        await tx.posts.put(Wanted.reaction(key, said_in, desk.bot, sign, delivery.source))


def captioned_file(context: CommandContext) -> list[EventId]:
    """The file whose caption the command is; empty for a command that is a message. Raises Refused
    for a file that is too large."""
    if not is_file(context.event.content):
        return []
    refuse_large(context.event.content, context.inbox)
    return [context.event.id]


def refuse_large(content: Content, inbox: Inbox) -> None:
    """Raises Refused at once for a file that is too large by the size the client states; the real
    size is checked when the mail is built."""
    info = content.get("info")
    size = info.get("size") if isinstance(info, dict) else None
    if isinstance(size, int):
        name = str(content.get("filename") or content.get("body") or "The file")[:100]
        if too_large := limits.over([(name, size)], inbox.attachments):
            raise Refused(f"{too_large} Nothing was sent.")
