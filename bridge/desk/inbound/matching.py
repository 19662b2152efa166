"""Finds the conversation that a mail joins, or starts a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.chat import file_event
from bridge.chat.mail_event import FORWARDED, SPAM
from bridge.chat.preview import preview_of
from bridge.desk.desk import Desk
from bridge.desk.inbound import bounces, overflow
from bridge.desk.inbound.arrival import Arrival
from bridge.desk.triage import state
from bridge.desk.triage.assign import next_in_turn
from bridge.mail import author
from bridge.mail.thread import Joined, Reason, ThreadEvidence, Unmatched, base_subject, place
from bridge.model import (
    Address,
    Conversation,
    InboxId,
    Mail,
    MessageId,
    Number,
    SenderKind,
    State,
    Verdict,
)
from bridge.model.conversation import NewConversation
from bridge.ports import Tx

REOPENS_FOR = 30 * 86400.0
"""Seconds after closing during which a new mail reopens the conversation."""


async def conversation_for(
    tx: Tx, desk: Desk, arrival: Arrival, reported_on: Number | None
) -> tuple[Conversation, bool]:
    """The conversation of a mail, and whether it is new. `reported_on`: where the mail is a report,
    the conversation of the mail it reports on."""
    inbox, mail, at = arrival.inbox, arrival.mail, arrival.at
    known = await _known(tx, desk, inbox.id, mail, reported_on)
    found = place(mail, replace(known, is_ours=arrival.is_ours))
    follows = None
    if isinstance(found, Joined):
        old = await tx.conversations.get(found.number)
        gone = old.inbox != inbox.id and old.inbox not in desk.settings.inboxes
        if not old.contact.spec:  # erased
            found = Unmatched(Reason.FRESH)
    person = author.author(mail.sender, mail.reply_to, desk.own_addresses)
    if arrival.is_ours and arrival.by_hand_to is not None:
        person = arrival.by_hand_to
    waits = _waits(desk, mail) and arrival.by_hand_to is None
    is_marked = bool(arrival.spam) and inbox.spam == "mark" and not arrival.is_ours
    stub = await _stub(tx, desk, arrival, person) if isinstance(found, Unmatched) else None
    if stub is not None:
        return await state.reopen_for_mail(tx, stub, at) if waits else stub, False
    blocked = not arrival.is_ours and await tx.blocked.holds(inbox.id, person.spec)
    if isinstance(found, Joined):
        long_over = old.state is State.CLOSED and at - (old.closed_at or at) > REOPENS_FOR
        if not gone and not long_over:  # gone: moved to an inbox that does not exist any more
            if blocked or arrival.by_hand_to or mail.sender_kind is not SenderKind.PERSON:
                return old, False
            if old.state is State.SPAM:
                return old, False
            return await state.reopen_for_mail(tx, old, at), False
        follows = old.number
    if arrival.counts and (
        why := await overflow.reason(tx, desk, inbox, person, at, blocked=blocked)
    ):
        return await overflow.conversation(tx, desk, inbox, why, at, blocked=blocked)
    who = await tx.contacts.of(inbox.id, person.spec)
    contact = Address(person.spec, who.name) if who and who.name else person
    new = NewConversation(
        inbox.id, contact, base_subject(mail.subject) or mail.subject, at,
        preview=_preview(desk, arrival), files=file_event.names(mail.attachments),
        claim=found.claim if isinstance(found, Unmatched) else None, follows=follows,
        waits=waits and not blocked and not is_marked,
    )  # fmt: skip
    conversation = await tx.conversations.create(new)
    if blocked or is_marked:
        return await tx.conversations.update(
            conversation.number, state=State.SPAM, closed_at=at
        ), True
    if inbox.department:
        conversation = await tx.conversations.update(
            conversation.number, department=inbox.department
        )
    if waits and (agent := await next_in_turn(tx, inbox)) is not None:
        conversation = await tx.conversations.update(conversation.number, assignee=agent)
    return conversation, True


async def _stub(tx: Tx, desk: Desk, arrival: Arrival, person: Address) -> Conversation | None:
    """The conversation with the mail that told that this one could not be fetched, which has an id
    of its own, or this one's. It gets the subject, and the contact where it has none."""
    if arrival.instead_of is None:
        return None
    ids = [arrival.instead_of, arrival.mail.message_id]
    for _, number in await tx.mails.conversations_of(arrival.inbox.id, ids):
        stub, subject = await tx.conversations.get(number), arrival.mail.subject
        return await tx.conversations.update(
            number, contact=person if stub.contact.domain == "invalid" else stub.contact,
            subject=base_subject(subject) or subject, preview=_preview(desk, arrival),
        )  # fmt: skip
    return None


async def _known(
    tx: Tx, desk: Desk, inbox: InboxId, mail: Mail, reported_on: Number | None
) -> ThreadEvidence:
    ancestors = mail.ancestors()
    by_address = filter(None, map(desk.tokens.read_address, mail.recipients))
    by_id = filter(None, map(desk.tokens.read, ancestors))
    homes = [
        await tx.conversations.current_number(inbox, number)
        for number in dict.fromkeys((*by_address, *by_id))
    ]
    signed = [number for number in homes if number is not None]
    # a mail that another path brought before belongs where that copy is
    ids = await tx.mails.conversations_of(inbox, (mail.message_id, *ancestors))
    ids += await _named_by_old_tokens(tx, desk, inbox, mail, signed)
    awaited = await tx.mails.conversations_missing(inbox, mail.message_id)
    participants = {
        number: await tx.conversations.participants(number)
        for number in {*(number for _, number in ids), *awaited}
    }
    same_subject = await _same_subject(tx, desk, inbox, mail)
    if mail.report is not None:
        named = await bounces.claimed_conversation(tx, desk, desk.inbox(inbox), mail, mail.report)
        same_subject = named or same_subject
    ours = author.domains(desk.own_addresses)
    return ThreadEvidence(signed, ids, participants, awaited, same_subject, reported_on, ours)


async def _named_by_old_tokens(
    tx: Tx, desk: Desk, inbox: InboxId, mail: Mail, signed: Sequence[Number]
) -> list[tuple[MessageId, Number]]:
    """Conversations named by a reply address signed before the key was changed. Such an address
    counts like a Message-ID that anybody may know: only for participants of the conversation; for
    all others not even as a claim."""
    if mail.sender_verdict is Verdict.FAIL:
        return []
    named = set(filter(None, map(desk.tokens.read_former_address, mail.recipients)))
    found = []
    for number in named - set(signed):
        home = await tx.conversations.current_number(inbox, number)
        if home is not None and mail.sender.key in await tx.conversations.participants(home):
            found.append((mail.message_id, home))
    return found


def _waits(desk: Desk, mail: Mail) -> bool:
    """Whether somebody waits for an answer to a mail that starts a conversation: its sender is a
    person, or it is an automatic mail that brings a form which a person filled in, or tells of a
    person, such as a voicemail that our telephone system took."""
    own = desk.own_addresses
    if mail.sender_kind is SenderKind.AUTOMATIC and not mail.ancestors():
        named = author.other_reply_to(mail.sender, mail.reply_to, own)
        return named is not None or author.is_from_us(mail.sender, own)
    return mail.sender_kind is SenderKind.PERSON


async def _same_subject(tx: Tx, desk: Desk, inbox: InboxId, mail: Mail) -> Number | None:
    """A conversation with the same contact and the same subject. The match is only a suggestion,
    which an agent confirms or rejects."""
    subject = base_subject(mail.subject).casefold()
    if not subject or subject == mail.subject.casefold():
        return None
    person = author.author(mail.sender, mail.reply_to, desk.own_addresses)
    for each in await tx.conversations.of_contact(inbox, person.spec):
        if base_subject(each.subject).casefold() == subject:
            return each.number
    return None


def _preview(desk: Desk, arrival: Arrival) -> str:
    """The first words of the mail; of a forwarded mail, the words of the customer."""
    origin = author.forwarded(arrival.mail, desk.own_addresses)
    text = arrival.body.text
    if origin is not None and origin.text.strip():
        text = f"{FORWARDED}{origin.sender}\n{origin.text}"
    return preview_of(f"{SPAM}\n{text}" if arrival.spam else text)
