"""Limits new conversations per hour: mails over the limit go into one shared conversation of the
inbox (the overflow), where `!split` makes a conversation of each."""

from __future__ import annotations

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import tell_control
from bridge.desk.triage import state
from bridge.model import (
    Address,
    Conversation,
    InboxId,
    Mail,
    Number,
    PostKey,
    Shows,
    State,
)
from bridge.model.conversation import VARIOUS, NewConversation
from bridge.ports import Tx

HOUR, DAY = 3600.0, 86_400.0
SUBJECT = "More new mail than rooms are made for"


async def reason(
    tx: Tx, desk: Desk, inbox: Inbox, sender: Address, at: float, *, blocked: bool
) -> str:
    """The reason why a mail may not start a conversation and goes into the overflow; empty where it
    may, which is then counted. Blocked senders are counted separately, so that they do not use up
    the limit of the others."""
    limits = desk.settings.limits
    counted = _counted(inbox, blocked)
    by_sender, by_inbox = await tx.begun.since(counted, sender.untagged, at - HOUR)
    if by_sender >= limits.rooms_per_sender:
        return f"more than {limits.rooms_per_sender} new conversations of this sender in an hour"
    if by_inbox >= limits.rooms_per_inbox:
        return f"more than {limits.rooms_per_inbox} new conversations in an hour"
    await tx.begun.add(counted, sender.untagged, at)
    return ""


def _counted(inbox: Inbox, blocked: bool) -> InboxId:
    return InboxId(f"{inbox.id}:blocked") if blocked else inbox.id


async def conversation(
    tx: Tx, desk: Desk, inbox: Inbox, why: str, at: float, *, blocked: bool
) -> tuple[Conversation, bool]:
    """The overflow conversation of an inbox, and whether it was created just now. The one for
    blocked senders is spam, and the control room is not told of it."""
    if not blocked:
        await tell_control(
            tx, desk, PostKey.other(Shows.OVERFLOW, inbox.id, int(at // DAY)),
            f"⚠️ {inbox.name}: {why}. Further ones are in one room of the inbox, where !split makes"
            " conversations of them. Who writes so much can be blocked with !block ADDRESS there;"
            " the limits are rooms_per_sender and rooms_per_inbox in config.yaml.",
        )  # fmt: skip
    key = f"overflow:{_counted(inbox, blocked)}"
    number = await tx.settings.value(key)
    if number is not None and await tx.conversations.exists(inbox.id, Number(int(number))):
        found = await tx.conversations.get(Number(int(number)))
        if found.is_overflow and found.merged is None:
            if blocked:
                return found, False
            return await state.reopen_for_mail(tx, found, at), False
    said = f"{why[0].upper()}{why[1:]}."
    new = NewConversation(inbox.id, VARIOUS, SUBJECT, at, said, waits=not blocked)
    made = await tx.conversations.create(new)
    await tx.settings.set_value(key, str(made.number))
    if blocked:
        made = await tx.conversations.update(made.number, state=State.SPAM, closed_at=at)
    return made, True


def line(mail: Mail, prefix: str) -> str:
    """The line above a mail in the overflow, where the bot shows mails instead of ghosts."""
    subject = mail.subject or "(no subject)"
    return f"📥 {mail.sender}: {subject} · {prefix}split makes it a conversation"
