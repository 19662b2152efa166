"""What stands around the text of a mail: header, greeting, signature and footer of its inbox, and
the contact card that goes with the first mail to somebody."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.config.inbox import Card, Inbox
from bridge.mail import compose, snippet, template, vcard
from bridge.mail.template import Filled, Letterhead
from bridge.model import Address, Conversation, Delivery, Form
from bridge.ports import Tx

TO_CUSTOMERS = (Form.REPLY, Form.SNIPPET, Form.COMPOSE)
"""What an agent writes to a customer: only that is greeted, and brings a card."""


def of(
    inbox: Inbox, delivery: Delivery, agent: str, text: str, conversation: Conversation
) -> Letterhead:
    """The letterhead of a mail. `agent`: the name of who sends it, empty for an automatic mail.
    Raises Permanent where a template cannot be used."""
    contact = next((each.address for each in delivery.recipients if each.field == "to"), None)
    values = values_of(
        inbox, contact or conversation.contact, agent, f"#{conversation.number}", delivery.subject
    )
    return filled(inbox, values, text, may_greet=delivery.form in TO_CUSTOMERS)


def values_of(
    inbox: Inbox, contact: Address, agent: str, number: str, subject: str
) -> dict[str, str]:
    """The values of template.VARIABLES."""
    return {
        "contact.name": contact.name, "contact.first_name": snippet.first_name(contact),
        "contact.email": contact.spec, "agent.name": agent,
        "agent.first_name": snippet.first_name(Address("", agent)),
        "inbox.name": inbox.name, "inbox.address": inbox.address,
        "conversation.number": number, "conversation.subject": subject,
    }  # fmt: skip


def filled(inbox: Inbox, values: Mapping[str, str], text: str, *, may_greet: bool) -> Letterhead:
    """The templates of an inbox with these values; nobody is greeted twice."""
    greeting = template.fill(inbox.greeting, values) if may_greet else Filled()
    if template.begins_with_greeting(text, greeting.text):
        greeting = Filled()
    return Letterhead(
        header=template.fill(inbox.header, values),
        greeting=greeting,
        signature=template.fill(inbox.signature, values),
        footer=template.fill(inbox.footer, values),
    )


async def is_first(tx: Tx, inbox: Inbox, delivery: Delivery) -> bool:
    """Whether no agent wrote to the first recipient from this inbox before."""
    to = [each.address for each in delivery.recipients if each.field == "to"]
    if not to or delivery.form not in TO_CUSTOMERS:
        return False
    return not await tx.deliveries.has_reached(inbox.id, to[0], TO_CUSTOMERS, but=delivery.id)


def card(inbox: Inbox, given: Card) -> compose.File:
    """The contact card of an inbox, as a file of a mail."""
    name = given.name or inbox.name
    data = vcard.vcard(
        name, inbox.address, organization=given.organization, phone=given.phone, url=given.url
    )
    return compose.File(f"{name}.vcf", vcard.TYPE, data)
