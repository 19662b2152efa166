"""Handles reports of other mail servers about a mail we sent: bounced, delayed, read."""

from __future__ import annotations

from bridge.chat import render, status
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.outbound.dispatch import show_status
from bridge.desk.outbound.outcome import overall, settle
from bridge.model import (
    Delivery,
    DeliveryState,
    Form,
    Mail,
    MailId,
    Number,
    Place,
    PostKey,
    Recipient,
    RecipientStatus,
    Report,
    SenderKind,
    Shows,
    Verdict,
    Wanted,
)
from bridge.ports import Tx

MATCH_BY_ADDRESS_SECONDS = 14 * 86400.0
"""Seconds after sending during which a bounce without Message-ID is matched to a mail by its
recipient address; servers give up after some days."""


async def delivery_of_report(tx: Tx, desk: Desk, inbox: Inbox, report: Report) -> Delivery | None:
    """The delivery a report is about, found by our signed Message-ID, which nobody can guess. None
    when the report names no delivery of this inbox."""
    for message_id in report.originals:
        named = desk.tokens.read_delivery(message_id)
        if named is None:  # signed before the key was changed: look the Message-ID up instead
            known = await tx.deliveries.by_message_id(inbox.id, message_id)
            if known is not None:
                return known
            continue
        found = await tx.deliveries.find(named[1])
        if found is not None and (found.conversation, found.inbox) == (named[0], inbox.id):
            return found
    return None


async def claimed_conversation(
    tx: Tx, desk: Desk, inbox: Inbox, mail: Mail, report: Report
) -> Number | None:
    """The conversation a bounce may be about, found only by the address it names. Anybody can write
    such a bounce, so this is a claim for a person to judge.

    The mail must have the form of a report, and its sender check must not have failed. A report
    that names another Message-ID counts only where the inbox sent that mail: some servers replace
    the Message-ID of outgoing mail, and the bounced address may also get mail from others.
    """
    if mail.sender_kind is not SenderKind.BOUNCE or mail.sender_verdict is Verdict.FAIL:
        return None
    if not report.is_formal:
        return None
    if report.originals and not report.senders & inbox.own:
        return None
    for spec in report.statuses:
        newest = await tx.deliveries.newest_to(
            inbox.id, spec, desk.now() - MATCH_BY_ADDRESS_SECONDS
        )
        if newest is not None:
            return await tx.conversations.current_number(inbox.id, newest.conversation)
    return None


async def apply_report(
    tx: Tx, desk: Desk, inbox: Inbox, delivery: Delivery, report: Report, mail: MailId
) -> None:
    """Store the new status of each recipient, and notify the sending agent when it bounced."""
    statuses = {}
    for recipient in delivery.recipients:
        said = _said(delivery, recipient, report)
        if said is not None and _is_news(recipient.status, said[0]):
            statuses[recipient.address.spec] = said
    if not statuses:
        return
    await tx.deliveries.set_statuses(delivery.id, statuses)
    changed = await tx.deliveries.get(delivery.id)
    if delivery.state is DeliveryState.UNKNOWN:  # the report proves that the mail was sent
        changed = await settle(tx, desk, inbox, changed)
    elif overall(changed) is not delivery.state:
        changed = await tx.deliveries.update(delivery.id, state=overall(changed))
    await show_status(tx, desk, changed)
    if changed.state is DeliveryState.BOUNCED and delivery.state is not DeliveryState.BOUNCED:
        content = render.text_message(status.bounce_notice(changed))
        content["m.mentions"] = {"user_ids": [changed.agent]}
        key, place = PostKey.of_mail(Shows.BOUNCE, mail), Place.of(changed.conversation)
        # the source of an automatic answer is a rule: there is no message to reply to
        target = None if changed.form is Form.AUTOMATIC else changed.source
        await tx.posts.put(Wanted.message(key, place, desk.bot, content, target))


def _said(
    delivery: Delivery, recipient: Recipient, report: Report
) -> tuple[RecipientStatus, str] | None:
    """The status a report gives for a recipient. When an address forwards elsewhere, the report
    names only the final address; with a single recipient it is clear which one is meant."""
    if recipient.address.key in report.statuses:
        return report.statuses[recipient.address.key]
    if len(delivery.recipients) == 1 and report.statuses:
        return next(iter(report.statuses.values()))
    return None


def _is_news(now: RecipientStatus, said: RecipientStatus) -> bool:
    """Whether the reported status `said` outranks the known one: a bounce is never undone."""
    order = (
        RecipientStatus.UNKNOWN,
        RecipientStatus.SENT,
        RecipientStatus.DELAYED,
        RecipientStatus.READ,
        RecipientStatus.BOUNCED,
    )
    return now in order and order.index(said) > order.index(now)
