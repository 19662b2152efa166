"""Mail in, second step: read an accepted mail, and file it unless it is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from bridge import metrics
from bridge.desk.desk import Desk
from bridge.desk.inbound.arrival import Arrival
from bridge.desk.inbound.file import file
from bridge.desk.rules import fitting, of_inbox
from bridge.mail.limits import size
from bridge.mail.quote import Body
from bridge.model import InboxId, Job, Mail, Transient
from bridge.model.task import ReceiveMail
from bridge.ports import Tx

DEATHS = 2
"""Deaths of the bridge while it read a mail after which the mail is shown by its headers alone."""
DEADLY = "the bridge died twice while it read it"


async def receive(desk: Desk, job: Job[ReceiveMail]) -> None:
    """Read one accepted mail, place it, and want its text and files in its room."""
    async with desk.store.reading() as tx:
        inbox_id, raw_id, note, at = await tx.mails.intake(job.task.intake)
        raw = await tx.mails.raw(raw_id)
    inbox = desk.inbox(inbox_id)
    if inbox.paused:  # it shares its account with one that is not; its mail waits here
        raise Transient(f"inbox {inbox.id} is paused", retry_after=60.0)
    if job.deaths >= DEATHS:
        mail, body = await desk.reader.head(raw, DEADLY, inbox.authserv_id, inbox.own)
    else:
        mail, body = await desk.reader.read(raw, inbox.authserv_id, inbox.own)
    arrival = Arrival(inbox, mail, body, raw, raw_id, at, counts=not job.task.was_waiting)
    if note:
        arrival = _headed(arrival, json.loads(note))
    # everybody else who decides waits for the transaction: rules are looked at before it
    async with desk.store.reading() as tx:
        rules = await of_inbox(tx, inbox)
    fits = fitting(rules, arrival.facts) if rules else ()
    async with desk.store.transaction("receive") as tx:
        result = "known"
        if not await _is_echo(tx, desk, inbox.id, mail):
            result = "new" if await file(tx, desk, arrival, fits) else "joined"
        await tx.jobs.finish(job)
        if result == "known":
            await tx.erasing.unused(raw_id)
    metrics.received.labels(inbox.id, result).inc()
    metrics.arrival.labels(inbox.id).observe(max(0.0, desk.now() - at))


def _headed(arrival: Arrival, known: Mapping[str, int]) -> Arrival:
    """One of which only the head is here: the mail stayed in the mailbox."""
    mail = arrival.mail
    left = tuple(each.name for each in mail.attachments)
    has, limit = size(known["size"]), size(known["limit"])
    lines = [f"⚠️ This mail has {has}, over the limit of {limit}. It stays in the mailbox."]
    if left:
        lines.append(f"Left there: {', '.join(left)}")
    if mail.text.strip():
        lines += ["", mail.text]
    return replace(
        arrival,
        mail=replace(mail, html="", attachments=()),
        body=Body("\n".join(lines), "", "", ""),
        too_large=known["size"],
        left=left,
    )


async def _is_echo(tx: Tx, desk: Desk, inbox: InboxId, mail: Mail) -> bool:
    """The same mail again, one that we sent ourselves and that came back to this inbox, or the
    inbox's test of itself."""
    if desk.tokens.is_test(mail.message_id):
        return True
    if await tx.mails.is_known(inbox, mail.message_id, mail.body_hash):
        return True
    if desk.tokens.read(mail.message_id) is None:
        return False
    return bool(await tx.mails.conversations_of(inbox, [mail.message_id]))
