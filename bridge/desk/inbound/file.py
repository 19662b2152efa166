"""Files a mail: finds its conversation, stores and indexes it, shows it, and applies rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from structlog.contextvars import bind_contextvars

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.inbound import bounces, rules
from bridge.desk.inbound.arrival import Arrival
from bridge.desk.inbound.matching import conversation_for
from bridge.desk.inbound.show import mention, show
from bridge.desk.rooms.refresh import refresh
from bridge.desk.rules import Incoming, Placed, matching_rules, of_inbox
from bridge.mail import author
from bridge.model import (
    FINISHED_CONVERSATIONS,
    Conversation,
    Letter,
    Mail,
    MailId,
    Place,
    PostKey,
    SenderKind,
    Shows,
    State,
    Wanted,
)
from bridge.model.task import MakeRoom
from bridge.ports import Tx


async def file(tx: Tx, desk: Desk, arrival: Arrival, fits: Sequence[Placed]) -> bool:
    """File a mail into its conversation. Returns whether the conversation is new. `fits`: the rules
    of its inbox whose conditions match it."""
    inbox, mail, at = arrival.inbox, arrival.mail, arrival.at
    delivery = None
    if mail.report is not None:
        delivery = await bounces.delivery_of_report(tx, desk, inbox, mail.report)
    reported_on = None
    if delivery is not None:
        reported_on = await tx.conversations.current_number(inbox.id, delivery.conversation)
    conversation, fresh = await conversation_for(tx, desk, arrival, reported_on)
    # the conversation may have been moved to another inbox, whose agents answer it now
    home = desk.inbox(conversation.inbox)
    number = conversation.number
    bind_contextvars(conversation=number)
    letter = await _letter(tx, desk, arrival, conversation)
    mail_id = await tx.mails.save(letter, mail.body_hash, ())
    files = " ".join(each.name for each in mail.attachments)
    await tx.passages.add(
        number,
        str(mail.sender),
        at,
        arrival.body.text,
        mail=mail_id,
        more=f"{mail.subject} {files}",
    )
    ancestors = mail.ancestors()
    missing = set(ancestors) - {
        message_id for message_id, _ in await tx.mails.conversations_of(inbox.id, ancestors)
    }
    await tx.mails.add_missing_parents(
        inbox.id, [each for each in ancestors if each in missing], number
    )
    if arrival.is_ours:
        conversation = await _answered(tx, desk, arrival, conversation)
    elif mail.sender_kind is SenderKind.PERSON and not mail.sender.is_of(desk.own_addresses):
        await tx.conversations.add_participants(number, [mail.sender.spec])
    if fresh:
        await tx.jobs.add(MakeRoom(number), f"{Place.of(number)}:out")
    letter = replace(letter, id=mail_id)
    await show(tx, desk, home, conversation, arrival, letter)
    if delivery is not None and mail.report is not None:
        await bounces.apply_report(tx, desk, inbox, delivery, mail.report, mail_id)
        conversation = await tx.conversations.get(number)
    if delivery is None and arrival.by_hand_to is None and not conversation.is_overflow:
        incoming = Incoming.whole(mail, arrival.body, arrival.raw, letter, fresh)
        incoming = replace(incoming, spam=arrival.spam_said)
        if arrival.too_large is not None:
            incoming = replace(incoming, size=arrival.too_large, files=arrival.left)
        if home.id != inbox.id:  # the conversation was moved to another inbox: use its rules
            fits = matching_rules(await of_inbox(tx, home), incoming.facts)
        ruled = await rules.apply(tx, desk, home, conversation, incoming, fits)
        await mention(tx, conversation, ruled, mail_id)
        conversation = ruled
    await _link_twins(tx, desk, inbox, conversation, mail, mail_id)
    await refresh(tx, desk, conversation)
    return fresh


async def _answered(
    tx: Tx, desk: Desk, arrival: Arrival, conversation: Conversation
) -> Conversation:
    """The conversation after a mail that we sent from another program: its recipients take part,
    and nobody waits any more whose mail is older."""
    mail, number = arrival.mail, conversation.number
    outsiders = [each.spec for each in (*mail.to, *mail.cc) if not each.is_of(desk.own_addresses)]
    await tx.conversations.add_participants(number, outsiders)
    latest = await tx.mails.latest(number)
    to = {each.key for each in (*mail.to, *mail.cc)}
    whom = {conversation.contact.key, *([latest.sender.key] if latest is not None else [])}
    if not to & whom:  # as where the customer's mail was forwarded to somebody else
        return conversation
    answers_it = latest is None or latest.message_id in mail.ancestors()
    is_newer = latest is not None and not answers_it and latest.at > mail.date
    if is_newer or conversation.state in (*FINISHED_CONVERSATIONS, State.SNOOZED):
        return conversation
    return await tx.conversations.update(
        number, state=State.ANSWERED, waiting_since=None, changed_at=arrival.at
    )


async def _letter(tx: Tx, desk: Desk, arrival: Arrival, conversation: Conversation) -> Letter:
    """The Letter (database row) of a mail, not yet saved."""
    mail, own = arrival.mail, desk.own_addresses
    known = await tx.mails.addresses(conversation.number)
    named = (*mail.to, *mail.cc, *mail.reply_to)
    origin = author.forwarded(mail, own)
    return Letter(
        id=MailId(0), inbox=arrival.inbox.id, conversation=conversation.number,
        outbound=arrival.is_ours,
        message_id=mail.message_id, sender=mail.sender, to=mail.to, cc=mail.cc,
        reply_to=mail.reply_to, subject=mail.subject, references=mail.references,
        sender_kind=mail.sender_kind, sender_verdict=mail.sender_verdict,
        at=arrival.at, raw=arrival.raw_id,
        new_addresses=() if arrival.is_ours else tuple(
            a.key for a in named if a.key not in known and not a.is_of(own)
        ),
        forwarded=origin.sender if origin else None,
        forwarded_subject=origin.subject if origin else "",
    )  # fmt: skip


async def _link_twins(
    tx: Tx, desk: Desk, inbox: Inbox, conversation: Conversation, mail: Mail, mail_id: MailId
) -> None:
    """A mail sent to two inboxes is shown in a room of each; tell each room about the other."""
    for twin in await tx.mails.copies(inbox.id, mail.message_id, mail.body_hash):
        other = desk.settings.inboxes.get(twin.inbox)
        if other is None:
            continue
        for at, text, key in (
            (conversation.number, f"{other.name}: #{twin.conversation}", (mail_id, twin.id)),
            (twin.conversation, f"{inbox.name}: #{conversation.number}", (twin.id, mail_id)),
        ):
            content = desk.quiet_message(f"This mail also went to {text}")
            told = PostKey.of_mail(Shows.TWIN, *key)
            await tx.posts.put(Wanted.message(told, Place.of(at), desk.bot, content))
