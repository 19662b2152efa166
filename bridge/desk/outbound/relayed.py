"""Mails whose Message-ID a relay replaced: the new id is known, too, once anything tells it."""

from __future__ import annotations

from bridge.config.inbox import Inbox
from bridge.mail import relay
from bridge.model import Delivery, MessageId, Number
from bridge.ports import Tx


async def replaces_ids(tx: Tx, inbox: Inbox) -> bool:
    """Whether the outgoing server of an inbox replaces Message-IDs, as far as is known."""
    if inbox.smtp is None:
        return False
    known = await tx.settings.value(_setting(inbox.smtp.account))
    return relay.replaces_ids(inbox.smtp.host) or known is not None


async def note_test(tx: Tx, inbox: Inbox, *, replaced: bool) -> None:
    """Store whether the id of a mail that an inbox sent to itself was replaced."""
    if inbox.smtp is not None:
        name = _setting(inbox.smtp.account)
        await (tx.settings.set_value(name, "1") if replaced else tx.settings.drop_value(name))


async def note_reply(tx: Tx, inbox: Inbox, delivery: Delivery) -> None:
    """Store the id that the outgoing server named when it took a mail."""
    if inbox.smtp is None or delivery.message_id is None:
        return
    keys = {each.address.key for each in delivery.recipients}
    for recipient in delivery.recipients:
        given = relay.given_id(inbox.smtp.host, recipient.reply, delivery.message_id, keys)
        if recipient.status.arrived and given is not None:
            await note_id(tx, inbox, delivery.id, delivery.conversation, given)
            await note_test(tx, inbox, replaced=True)
            return


async def note_id(tx: Tx, inbox: Inbox, delivery: int, number: Number, given: MessageId) -> None:
    """Store the id that a relay gave to the mail of a delivery."""
    await tx.deliveries.set_relay_id(delivery, given)
    await tx.mails.add_known_id(inbox.id, given, number)


def _setting(account: str) -> str:
    return f"replaces-ids:{account}"
