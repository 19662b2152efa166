"""Incoming mail, second step: read an accepted mail, and file it unless it is known already."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge import metrics
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.inbound import twice
from bridge.desk.inbound.again import says_nothing_new
from bridge.desk.inbound.arrival import Arrival
from bridge.desk.inbound.file import file
from bridge.desk.inbound.signed import checked
from bridge.desk.outbound.relayed import note_id
from bridge.desk.rules import Placed, matching_rules, of_inbox
from bridge.mail import author, rewritten
from bridge.mail.limits import size
from bridge.mail.parse import body_hash
from bridge.mail.quote import Body
from bridge.mail.reading import is_large
from bridge.model import BridgeError, Job, Mail, MessageId, SenderKind, Transient, Verdict, key_of
from bridge.model.oversight import InboxState
from bridge.model.task import ReceiveMail
from bridge.ports import Tx

MAX_DEATHS = 2
"""After this many crashes of the bridge while reading a mail, only the mail's headers are shown."""
DIED_TWICE = "the bridge died twice while it read it"
MAX_BATCH_BYTES = 1_000_000
"""Maximum total bytes of the mails that are held in memory and filed in one transaction."""


@dataclass(frozen=True, slots=True)
class _Accepted:
    """An accepted mail and the job to receive it."""

    job: Job[ReceiveMail]
    inbox: Inbox
    raw: bytes
    raw_id: int
    note: str
    at: float


@dataclass(frozen=True, slots=True)
class _ReadMail:
    """A mail that was read, and the rules of its inbox whose conditions match it."""

    job: Job[ReceiveMail]
    arrival: Arrival
    fits: Sequence[Placed]


async def receive(desk: Desk, job: Job[ReceiveMail]) -> None:
    """Read one accepted mail, file it, and request the posts that show its text and files."""
    await _file(desk, [await _read(desk, await _load(desk, job))])


async def receive_together(desk: Desk, jobs: Sequence[Job[ReceiveMail]]) -> bool:
    """Read mails of one inbox concurrently, and file them in order in one transaction. Returns
    False, with nothing done, where they are too large for that."""
    accepted, total = [], 0
    for job in jobs:
        accepted.append(await _load(desk, job))
        total += len(accepted[-1].raw)
        if total > MAX_BATCH_BYTES or is_large(accepted[-1].raw):
            return False
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(_read(desk, each)) for each in accepted]
    await _file(desk, [task.result() for task in reading])
    return True


async def _load(desk: Desk, job: Job[ReceiveMail]) -> _Accepted:
    async with desk.store.reading() as tx:
        inbox_id, raw_id, note, at = await tx.mails.intake(job.task.intake)
        raw = await tx.mails.raw(raw_id)
        stored = await tx.inboxes.get(inbox_id)
    inbox = desk.inbox(inbox_id)
    if stored is not None and stored.state is InboxState.DRAFT:
        raise Transient(f"inbox {inbox.id} is not live yet", retry_after=60.0)
    if inbox.paused:  # mail still arrives where it shares its account with an inbox that is not
        raise Transient(f"inbox {inbox.id} is paused", retry_after=60.0)
    return _Accepted(job, inbox, raw, raw_id, note, at)


async def _read(desk: Desk, accepted: _Accepted) -> _ReadMail:
    job, inbox, raw = accepted.job, accepted.inbox, accepted.raw
    known = json.loads(accepted.note) if accepted.note else {}
    stamped_by = "" if known.get("unstamped") else inbox.authserv_id
    if job.deaths >= MAX_DEATHS:
        mail, body = await desk.reader.read_headers(raw, DIED_TWICE, stamped_by, inbox.own)
    else:
        mail, body = await desk.reader.read(raw, stamped_by, inbox.own)
    counts = not job.task.was_waiting
    arrival = Arrival(inbox, mail, body, raw, accepted.raw_id, accepted.at, counts=counts)
    if "size" in known:
        arrival = _headed(arrival, known["size"], known["limit"])
    arrival = replace(arrival, junk=known.get("junk", ""), instead_of=known.get("instead"))
    arrival = replace(arrival, mail=_brought(arrival.mail, known))
    if known.get("unstamped"):
        arrival = replace(arrival, mail=await checked(desk, arrival.mail, raw))
    arrival = replace(arrival, mail=rewritten.unwrapped(arrival.mail, inbox.forwarders))
    if inbox.spam != "ignore":
        arrival = replace(arrival, spam=arrival.spam_said())
    mail = arrival.mail
    if known.get("sent"):
        to = author.outsider(mail, desk.own_addresses)
        arrival = replace(arrival, by_hand_to=to, is_ours=True, is_sent=True, counts=False)
        return _ReadMail(job, arrival, ())
    to = author.by_hand(mail, desk.own_addresses)
    if to is not None:
        ours = await _is_proven(desk, mail, len(raw))
        return _ReadMail(job, replace(arrival, by_hand_to=to, is_ours=ours), ())
    # rules are matched before the write transaction, which blocks all other writers
    async with desk.store.reading() as tx:
        rules = await of_inbox(tx, inbox)
    return _ReadMail(job, arrival, matching_rules(rules, arrival.facts) if rules else ())


def _brought(mail: Mail, known: Mapping[str, object]) -> Mail:
    """A mail with what its bringer, who is proven, says beside it: the envelope's recipients, which
    a BCC or a forward has nowhere else, and the sender check."""
    to = known.get("to")
    brought = tuple(key_of(str(spec)) for spec in to) if isinstance(to, list) else ()
    verdict = Verdict(str(known.get("verdict") or mail.sender_verdict))
    if mail.sender_verdict is Verdict.FAIL:
        verdict = Verdict.FAIL
    recipients = tuple(dict.fromkeys((*mail.recipients, *brought)))
    return replace(mail, recipients=recipients, sender_verdict=verdict)


async def _is_proven(desk: Desk, mail: Mail, size: int) -> bool:
    """Whether a mail that is written as one of our inboxes was sent by us: its sender check passed,
    or the inbox's Sent folder has the same mail. A Message-ID proves nothing: whoever gets a mail
    of ours knows it."""
    if mail.sender_verdict is not Verdict.NONE:
        return mail.sender_verdict is Verdict.PASS
    inboxes = desk.settings.inboxes.values()
    sender = next((each for each in inboxes if mail.sender.is_of(each.own)), None)
    if sender is None or sender.imap is None:
        return False
    try:
        copy = await desk.mailbox.sent_copy(sender, mail.message_id, 2 * size)
    except BridgeError:  # nothing proves it, and agents are told so
        return False
    return copy is not None and body_hash(copy) == mail.body_hash


async def _file(desk: Desk, mails: Sequence[_ReadMail]) -> None:
    results = []
    async with desk.store.transaction("receive") as tx:
        for each in mails:
            arrival, result = each.arrival, "known"
            echo = await _is_echo(tx, desk, arrival.inbox, arrival.mail)
            echo = echo or (arrival.is_sent and _is_no_news(desk, arrival))
            if not echo and not await says_nothing_new(
                tx, arrival.inbox.id, arrival.mail, arrival.body
            ):
                result = "new" if await file(tx, desk, arrival, each.fits) else "joined"
            await tx.jobs.finish(each.job)
            if result == "known":
                await tx.erasing.empty_if_unused(arrival.raw_id)
            results.append((arrival, result))
    for arrival, result in results:
        if result == "known" and not arrival.inbox.sources:
            await twice.tell(desk, arrival)
        metrics.received.labels(arrival.inbox.id, result).inc()
        metrics.arrival.labels(arrival.inbox.id).observe(max(0.0, desk.now() - arrival.at))


def _headed(arrival: Arrival, whole: int, most: int) -> Arrival:
    """The arrival of a mail that is too large and stayed in the mailbox: only its first bytes
    are stored, and its text says so."""
    mail = arrival.mail
    left = tuple(each.name for each in mail.attachments)
    has, limit = size(whole), size(most)
    lines = [f"⚠️ This mail has {has}, over the limit of {limit}. It stays in the mailbox."]
    if left:
        lines.append(f"Left there: {', '.join(left)}")
    if mail.text.strip():
        lines += ["", mail.text]
    return replace(
        arrival,
        mail=replace(mail, html="", attachments=()),
        body=Body("\n".join(lines), "", "", ""),
        too_large=whole,
        left=left,
    )


async def _is_echo(tx: Tx, desk: Desk, inbox: Inbox, mail: Mail) -> bool:
    """Whether a mail is not to be filed: it was received before, we sent it ourselves and it came
    back to this inbox, or it is the inbox's own test mail."""
    if await tx.mails.is_known(inbox.id, mail.message_id, mail.body_hash):
        return True
    for own_id in dict.fromkeys((mail.message_id, mail.own_id or mail.message_id)):
        if desk.tokens.is_test(own_id):
            return True
        signed = desk.tokens.read_delivery(own_id)
        homes = await tx.mails.conversations_of(inbox.id, [own_id]) if signed is not None else []
        if own_id == mail.message_id and homes:
            return True
        # others know our header, too: a relay replaced the id only if this is the mail we sent
        if signed and homes and await _is_sent(tx, inbox, own_id, mail):
            await note_id(tx, inbox, signed[1], homes[0][1], mail.message_id)
            return True
    return False


def _is_no_news(desk: Desk, arrival: Arrival) -> bool:
    """Whether a mail of the Sent folder is to be shown nowhere: we sent it ourselves, perhaps in
    this moment and under another id, or it went to the team alone, or a program wrote it."""
    ids = (arrival.mail.message_id, arrival.mail.own_id)
    ours = any(each and desk.tokens.read_delivery(each) is not None for each in ids)
    is_person = arrival.mail.sender_kind is SenderKind.PERSON
    return ours or arrival.by_hand_to is None or not is_person


async def _is_sent(tx: Tx, inbox: Inbox, own_id: MessageId, mail: Mail) -> bool:
    """Whether a mail is one that we sent under another id: our server vouches for its sender, or
    it is the same to the letter."""
    if mail.sender.is_of(inbox.own) and mail.sender_verdict is Verdict.PASS:
        return True
    return await tx.mails.is_sent(inbox.id, own_id, mail.body_hash)
