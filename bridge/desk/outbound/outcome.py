"""Updates a delivery after an attempt: its state, the next try, and the conversation."""

from __future__ import annotations

from bridge.chat import render
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.outbound.dispatch import show_status
from bridge.desk.outbound.relayed import note_reply
from bridge.desk.rooms.refresh import refresh
from bridge.mail.parse import headers_only
from bridge.model import (
    ANSWER_FORMS,
    FINISHED_CONVERSATIONS,
    Delivery,
    DeliveryState,
    Form,
    Letter,
    MailId,
    Mxid,
    Place,
    PostKey,
    RecipientStatus,
    SenderKind,
    Shows,
    State,
    Verdict,
    Wanted,
)
from bridge.model.task import CopyToSent, Deliver
from bridge.ports import Tx

SCHEDULE = (0.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds from the nth attempt to the next, by n; the last value applies to all later ones."""
GIVE_UP = 48 * 3600.0
MAX_UNKNOWN = 5
"""Attempts after which a person is asked even with `on_unknown: retry`: the server may accept each
attempt without confirming."""


def next_try(attempts: int) -> float:
    """Seconds after the nth attempt (from 1) at which the next one is due."""
    return SCHEDULE[min(attempts, len(SCHEDULE) - 1)]


def overall(delivery: Delivery) -> DeliveryState:
    """The state of a delivery, from the status of each recipient."""
    statuses = {recipient.status for recipient in delivery.recipients}
    if RecipientStatus.UNKNOWN in statuses:
        return DeliveryState.UNKNOWN
    if statuses & {RecipientStatus.DEFERRED, RecipientStatus.PENDING}:
        return DeliveryState.DEFERRED
    if RecipientStatus.BOUNCED in statuses:
        return DeliveryState.BOUNCED
    return DeliveryState.SENT if any(f.arrived for f in statuses) else DeliveryState.FAILED


async def settle(tx: Tx, desk: Desk, inbox: Inbox, delivery: Delivery) -> Delivery:
    """Store the new state of a delivery, store the mail once it was sent, and update the room."""
    now = desk.now()
    if now - max(delivery.created_at, delivery.planned_for) > GIVE_UP:
        left = delivery.open_recipients
        await tx.deliveries.set_statuses(
            delivery.id,
            {r.address.spec: (RecipientStatus.FAILED, f"given up: {r.reply}") for r in left},
        )
        delivery = await tx.deliveries.get(delivery.id)
    state = overall(delivery)
    replies = [
        each.reply for each in delivery.recipients
        if each.reply and each.status in (RecipientStatus.DEFERRED, RecipientStatus.FAILED)
    ]  # fmt: skip
    again = inbox.on_unknown == "retry" and delivery.attempts < MAX_UNKNOWN
    if state is DeliveryState.UNKNOWN and again:
        await tx.deliveries.set_statuses(
            delivery.id,
            {
                each.address.spec: (RecipientStatus.DEFERRED, each.reply)
                for each in delivery.recipients
                if each.status is RecipientStatus.UNKNOWN
            },
        )
        state = DeliveryState.DEFERRED
        replies = ["the server did not confirm"]
        await _keep(tx, desk, delivery, now)  # it may have arrived
    final = state in (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.BOUNCED)
    delivery = await tx.deliveries.update(
        delivery.id, state=state, detail=replies[0] if replies else "",
        finished_at=now if final else None,
    )  # fmt: skip
    if state is DeliveryState.DEFERRED:
        lane = f"delivery:{delivery.id}"
        await tx.jobs.add(Deliver(delivery.id), lane, run_after=delivery.run_at)
    if state in (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.BOUNCED):
        # also when unknown: a reply to this mail must find the conversation
        await _keep(tx, desk, delivery, now)
        await note_reply(tx, inbox, delivery)
    if state is DeliveryState.SENT:
        await _update_after_answer(tx, desk, inbox, delivery, now)
    await show_status(tx, desk, delivery)
    return delivery


async def _keep(tx: Tx, desk: Desk, delivery: Delivery, now: float) -> None:
    raw = await tx.mails.keep_raw(await tx.deliveries.mime(delivery.id) or b"")
    mail = headers_only(await tx.mails.raw(raw), "")
    letter = Letter(
        id=MailId(0), inbox=delivery.inbox, conversation=delivery.conversation, outbound=True,
        message_id=mail.message_id, sender=mail.sender, to=mail.to, cc=mail.cc, reply_to=(),
        subject=mail.subject, references=mail.references, sender_kind=SenderKind.PERSON,
        sender_verdict=Verdict.NONE, new_addresses=(), at=now, raw=raw,
    )  # fmt: skip
    kept = await tx.mails.save(letter, mail.body_hash, ())
    await tx.passages.add(
        delivery.conversation, delivery.agent, now, delivery.text, mail=kept,
        event=None if delivery.form is Form.AUTOMATIC else delivery.source,
        more=f"{mail.subject} {render.people((*mail.to, *mail.cc))}",
    )  # fmt: skip
    await tx.conversations.add_participants(
        delivery.conversation,
        [
            each.address.spec
            for each in delivery.recipients
            if each.status is not RecipientStatus.FAILED
            and not each.address.is_of(desk.own_addresses)
        ],
    )


async def _update_after_answer(
    tx: Tx, desk: Desk, inbox: Inbox, delivery: Delivery, now: float
) -> None:
    await tx.pins.drop(files=delivery.files)
    conversation = await tx.conversations.get(delivery.conversation)
    is_answer = delivery.form in (*ANSWER_FORMS, Form.COMPOSE)  # the customer still waits
    latest = await tx.mails.latest(conversation.number)
    # a mail that the customer wrote meanwhile still waits for an answer
    newer = (
        latest is not None and latest.id != delivery.answers and (latest.at > delivery.created_at)
    )
    if (
        conversation.state not in (*FINISHED_CONVERSATIONS, State.SNOOZED)
        and is_answer
        and not newer
    ):
        conversation = await tx.conversations.update(
            conversation.number, state=State.ANSWERED, waiting_since=None, changed_at=now
        )
    await refresh(tx, desk, conversation)
    if delivery.form in ANSWER_FORMS:
        await _tell_owner(tx, desk, delivery, conversation.assignee)
    if inbox.sent_copy != "never" and inbox.imap is not None:
        await tx.jobs.add(CopyToSent(delivery.id), f"copy:{inbox.id}")


async def _tell_owner(tx: Tx, desk: Desk, delivery: Delivery, owner: Mxid | None) -> None:
    """Notify the assignee of an answer that somebody else sent."""
    if owner is None or owner in (delivery.agent, delivery.author):
        return
    # not an m.notice: clients do not notify for those, even with a mention
    content = desk.message(f"{delivery.agent} answered here; {owner} has taken it.")
    content["m.mentions"] = {"user_ids": [owner]}
    key = PostKey.other(Shows.OWNER, delivery.requested_by)
    await tx.posts.put(Wanted.message(key, Place.of(delivery.conversation), desk.bot, content))
