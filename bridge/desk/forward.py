"""`!forward`: mails of a conversation to somebody else. Room talk never goes along."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.chat import command
from bridge.desk import dispatch
from bridge.desk.desk import Desk, mail_meant
from bridge.desk.hearing import Hearing
from bridge.inbox import Inbox
from bridge.mail.compose import forward_subject
from bridge.model import Address, Delivery, DeliveryState, EventId, Form, Letter, Recipient, Refused
from bridge.ports import Tx

USAGE = "Say to whom: !forward ADDRESS… [TEXT]. As a reply to a mail it forwards that mail."


async def forward(tx: Tx, desk: Desk, heard: Hearing, target: EventId | None) -> str | None:
    """The mail it replies to, else the newest that came in; `all` takes every mail, in and out."""
    takes_all, addresses, _ = command.forwarded(heard.rest)
    if not addresses:
        raise Refused(USAGE)
    refuse_own(desk, heard.inbox, addresses)
    letters = await _meant(tx, heard, target, takes_all=takes_all)
    wanted = Delivery(
        id=0, inbox=heard.inbox.id, conversation=heard.about.number, source=heard.event.id,
        order=heard.event.id, agent=heard.who, state=DeliveryState.WAITING, answers=None,
        files=(), subject=forward_subject(letters[-1].subject or heard.about.subject),
        message_id=None, run_at=desk.now() + heard.inbox.undo, attempts=0, data_begun=False,
        detail="", created_at=desk.now(), finished_at=None,
        recipients=recipients(heard.inbox, addresses), form=Form.FORWARD,
        letters=tuple(letter.id for letter in letters),
    )  # fmt: skip
    await dispatch.begin(tx, desk, heard, wanted, "")
    return None


async def _meant(
    tx: Tx, heard: Hearing, target: EventId | None, *, takes_all: bool
) -> Sequence[Letter]:
    if target is not None and not takes_all:
        letter = await mail_meant(tx, heard.about.number, target)
        if letter is None:
            raise Refused("That is no mail of this conversation; nothing was forwarded.")
        return [letter]
    letters = await tx.mails.of_conversation(heard.about.number)
    if not letters:
        raise Refused("This conversation has no mail to forward.")
    came = [letter for letter in letters if not letter.outbound]
    return letters if takes_all else (came or letters)[-1:]


def recipients(inbox: Inbox, addresses: Sequence[Address]) -> tuple[Recipient, ...]:
    """Those who were named, and whoever gets a blind copy of everything."""
    named = {each.key: Recipient(each, "to") for each in addresses}
    for spec in inbox.bcc:
        named.setdefault(spec.casefold(), Recipient(Address(spec), "bcc"))
    return tuple(named.values())


def refuse_own(desk: Desk, inbox: Inbox, addresses: Sequence[Address]) -> None:
    """Raises Refused for mail from us to us."""
    for each in addresses:
        if each.is_of(desk.own_addresses):
            raise Refused(f"{each.spec} is an inbox of ours; nothing was sent from {inbox.name}.")
