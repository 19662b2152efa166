"""Automatic answers: sends the text of a snippet, to people only and within limits."""

from __future__ import annotations

from bridge.chat import render
from bridge.config.inbox import Inbox
from bridge.config.rule import Rule
from bridge.desk.desk import Desk
from bridge.desk.outbound import dispatch
from bridge.mail import snippet
from bridge.mail.compose import reply_subject
from bridge.model import (
    Address,
    Conversation,
    Delivery,
    EventId,
    Form,
    Letter,
    Place,
    PostKey,
    Recipient,
    SenderKind,
    Shows,
    Verdict,
    Wanted,
)
from bridge.ports import Tx

DAY = 86_400.0


async def answer(
    tx: Tx, desk: Desk, inbox: Inbox, conversation: Conversation, letter: Letter, rule: Rule
) -> list[str]:
    """Send an automatic answer to a mail. Returns problems that somebody has to fix.

    Returns no problem where a mail simply gets no answer: it is from a machine (RFC 3834 §2), its
    sender check failed, or its sender had one within `answer_again_after` hours."""
    known = await tx.snippets.all(inbox.id)
    text = known.get(rule.then.snippet.casefold())
    if text is None:
        return [f"there is no snippet {rule.then.snippet}."]
    if not inbox.sends or inbox.paused:
        return [f"{inbox.name} sends nothing."]
    if letter.sender_kind is not SenderKind.PERSON or letter.sender_verdict is Verdict.FAIL:
        return []
    if letter.sender.domain == "invalid" or letter.sender.is_of(desk.own_addresses):
        return []
    now = desk.now()
    if await tx.deliveries.automatic(
        inbox.id,
        now - inbox.answer_again_after * 3600.0,
        number=conversation.number,
        spec=letter.sender.spec,
    ):
        return []
    # the answer goes to the mail's sender, who need not be the contact of the conversation
    who = conversation.contact if conversation.contact.key == letter.sender.key else letter.sender
    values = {"address": letter.sender.spec, "number": f"#{conversation.number}",
              "agent": inbox.name, "inbox": inbox.name}  # fmt: skip
    proven = letter.sender_verdict is Verdict.PASS
    if proven:  # otherwise somebody who forges the sender could make us send their words
        values |= {"first_name": snippet.first_name(who), "name": who.name,
                   "subject": conversation.subject}  # fmt: skip
    filled = snippet.fill(text, values)
    if filled.missing:
        gaps = ", ".join(filled.missing)
        return [f"snippet {rule.then.snippet} needs a fallback for {gaps}."]
    for seconds, limit in (
        (600.0, inbox.answers_in_10_minutes),
        (3600.0, inbox.answers_in_hour),
        (DAY, inbox.answers_in_day),
    ):
        if await tx.deliveries.automatic(inbox.id, now - seconds) >= limit:
            minutes = f"{seconds / 60:.0f} minutes"
            return [f"more than {limit} automatic answers in {minutes}; further ones are left out."]
    subject = reply_subject(letter.subject if proven else "")
    await _order(tx, desk, _delivery(desk, inbox, conversation, letter, subject, filled.text), rule)
    return []


def _delivery(
    desk: Desk, inbox: Inbox, conversation: Conversation, letter: Letter, subject: str, text: str
) -> Delivery:
    source, now = EventId(f"rule:{letter.id}"), desk.now()
    proven = letter.sender_verdict is Verdict.PASS
    to = letter.sender if proven else Address(letter.sender.spec)
    return Delivery(
        inbox=inbox.id, conversation=conversation.number, source=source, requested_by=source,
        agent=desk.bot, answers=letter.id, subject=subject, run_at=now + inbox.undo,
        created_at=now, recipients=(Recipient(to, "to"),), form=Form.AUTOMATIC, text=text,
    )  # fmt: skip


async def _order(tx: Tx, desk: Desk, wanted: Delivery, rule: Rule) -> None:
    delivery = await tx.deliveries.create(wanted, "")
    if delivery is None:
        return
    content = render.notice(f"🤖 Automatic answer ({rule.name}):\n\n{wanted.text}")
    key, place = PostKey.of_delivery(Shows.AUTOMATIC, delivery.id), Place.of(wanted.conversation)
    await tx.posts.put(Wanted.message(key, place, desk.bot, content))
    await dispatch.show_status(tx, desk, delivery)
    await dispatch.schedule_attempt(tx, delivery)
