"""A sample mail of an inbox, to show its templates as a customer would see them."""

from __future__ import annotations

from bridge.config.inbox import Inbox
from bridge.desk.outbound import letterhead
from bridge.mail import compose
from bridge.model import Address, MessageId

CONTACT = Address("alice@example.com", "Alice Example")
AGENT, NUMBER, SUBJECT = "Bob Example", "#1042", "Re: Where is my order?"
TEXT = "your parcel left our house today. It needs **two days** to reach you."


def mail(inbox: Inbox, now: float) -> compose.Outgoing:
    """The answer of an invented agent to an invented customer; it is never sent. Raises Permanent
    where a template cannot be used."""
    values = letterhead.values_of(inbox, CONTACT, AGENT, NUMBER, SUBJECT)
    name = inbox.sender_name.format(agent=AGENT, inbox=inbox.name)
    return compose.Outgoing(
        message_id=MessageId(f"<preview@{inbox.domain}>"),
        sender=Address(inbox.address, name), to=(CONTACT,), cc=(),
        subject=SUBJECT, at=now, text=TEXT, html="",
        letterhead=letterhead.filled(inbox, values, TEXT, may_greet=True),
        files=(letterhead.card(inbox, inbox.card),) if inbox.card is not None else (),
        reply_to=Address(inbox.reply_to) if inbox.reply_to else None,
    )  # fmt: skip
