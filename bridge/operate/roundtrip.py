"""Test: an inbox sends a mail to itself, and a second one to its own +tag address."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator

from bridge.chat import diagnosis
from bridge.config.inbox import Inbox
from bridge.mail import compose
from bridge.mail.token import Tokens
from bridge.model import Address, MessageId, RecipientStatus
from bridge.model.oversight import Finding, Grade
from bridge.ports import Mailbox, Sender

RETURN, TAG_RETURN = 60.0, 10.0
"""Seconds to wait for the mail, and then for the one to the +tag address."""


async def round_trip(
    sender: Sender, mailbox: Mailbox, tokens: Tokens, inbox: Inbox
) -> AsyncIterator[Finding]:
    """Yield two findings, about the mail and about the +tag; only one where the mail fails."""
    local, _, domain = inbox.address.partition("@")
    began = time.monotonic()
    plain, said = await _send(sender, tokens, inbox, inbox.address)
    if plain is None:
        yield Finding(Grade.BAD, diagnosis.not_sent(inbox.address, said))
        return
    # a server without +tags refuses this mail now or bounces it later; that is no failure
    tagged, _ = await _send(sender, tokens, inbox, f"{local}+test{secrets.token_hex(3)}@{domain}")
    found = await mailbox.wait_for(inbox, plain, RETURN)
    if found is None:
        yield Finding(Grade.BAD, diagnosis.not_back(inbox.address, RETURN))
        return
    text = diagnosis.came_back(inbox.address, found.folder, found.is_junk, time.monotonic() - began)
    yield Finding(Grade.WARNING if found.is_junk else Grade.GOOD, text,
                  replaces_ids=found.has_other_id)  # fmt: skip
    if found.has_other_id:
        yield Finding(Grade.GOOD, diagnosis.OTHER_ID)
    arrived = bool(tagged and await mailbox.wait_for(inbox, tagged, TAG_RETURN))
    grade = Grade.GOOD if arrived else Grade.WARNING
    yield Finding(grade, diagnosis.tags(inbox.address, arrive=arrived), tags=arrived)


async def _send(
    sender: Sender, tokens: Tokens, inbox: Inbox, to: str
) -> tuple[MessageId | None, str]:
    """Send the test mail. Returns its Message-ID (None if the mail was refused) and the server's
    reply."""
    message_id = tokens.test_id(secrets.token_hex(8), inbox.domain)
    mail = compose.Outgoing(
        message_id=message_id, sender=Address(inbox.address, inbox.name), to=(Address(to),), cc=(),
        subject="Postroom test", at=time.time(), html="", automatic="auto-generated",
        text=f"Postroom sent this mail to test {inbox.address}. You can delete it.",
    )  # fmt: skip
    mime = compose.build(mail)
    try:
        statuses = await sender.send(inbox, inbox.address, [to], mime, _nothing_to_note)
    except diagnosis.Trouble as trouble:
        return None, trouble.said
    status, said = statuses[to]
    return (message_id if status in (RecipientStatus.SENT, RecipientStatus.UNKNOWN) else None), said


async def _nothing_to_note() -> None:
    """Store nothing when DATA begins: a lost test mail is sent again by the next test."""
