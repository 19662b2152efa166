"""Mail in: accept it for good, then find out where it belongs and want it in Matrix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from structlog.contextvars import bind_contextvars

from bridge import metrics
from bridge.chat import file_event, mail_event, render
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.inbound import bounces, overflow, rules
from bridge.desk.inbound.matching import conversation_for
from bridge.desk.rooms import picture
from bridge.desk.rooms.refresh import refresh
from bridge.desk.rules import Incoming
from bridge.desk.triage import contact
from bridge.mail import author
from bridge.mail.limits import size
from bridge.mail.quote import Body
from bridge.model import (
    Address,
    Attachment,
    Conversation,
    InboxId,
    Job,
    Letter,
    Mail,
    MailId,
    Nature,
    Place,
    PostKey,
    Shows,
    State,
    Transient,
    Wanted,
)
from bridge.model.mail import WHOLE_MAIL, WHOLE_TEXT
from bridge.model.task import MakeRoom, ReceiveMail
from bridge.ports import Tx

SLOW = 2_000_000
"""Bytes from which a placeholder keeps a file's place while it is uploaded."""
DEATHS = 2
"""Deaths of the bridge while it read a mail after which the mail is shown by its headers alone."""
DEADLY = "the bridge died twice while it read it"


def addressed(inboxes: Sequence[Inbox], recipients: Sequence[str]) -> list[Inbox]:
    """The inboxes of one account a mail is for: those it names, else the default one."""
    to = [Address(spec) for spec in recipients]
    named = [inbox for inbox in inboxes if any(each.is_of(inbox.own) for each in to)]
    if named or len(inboxes) == 1:
        return named or list(inboxes)
    return [inbox for inbox in inboxes if inbox.default] or list(inboxes[:1])


async def accept(
    tx: Tx, inboxes: Sequence[Inbox], source_key: str, raw: bytes, note: str, now: float,
    *, was_waiting: bool = False,
) -> None:  # fmt: skip
    """Keep a mail that arrived and give it a receive job, in the caller's transaction.

    `note` is not empty where the bytes are only the head of a mail that was too large;
    `was_waiting` says that it arrived while nobody looked, so that it counts for no limit of the
    hour.
    """
    kept = await tx.mails.keep_raw(raw)
    for inbox in inboxes:
        intake = await tx.mails.accept(inbox.id, source_key, kept, note, now)
        if intake is not None:
            task = ReceiveMail(intake, was_waiting=was_waiting)
            await tx.jobs.add(task, f"inbox:{inbox.id}:receive")


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
    left: tuple[str, ...] = ()
    if note:
        left = tuple(file.name for file in mail.attachments)
        mail = replace(mail, html="", attachments=())
        body = Body(_oversize(note, left, mail.text), "", "", "")
    async with desk.store.transaction("receive") as tx:
        result = "known"
        if not await _is_echo(tx, desk, inbox.id, mail):
            counts = not job.task.was_waiting
            fresh = await _file(tx, desk, inbox, mail, body, raw_id, raw, at, note, left, counts)
            result = "new" if fresh else "joined"
        await tx.jobs.finish(job)
        if result == "known":
            await tx.erasing.unused(raw_id)
    metrics.received.labels(inbox.id, result).inc()
    metrics.arrival.labels(inbox.id).observe(max(0.0, desk.now() - at))


def _oversize(note: str, files: Sequence[str], text: str) -> str:
    """What is shown of a mail that stayed in the mailbox."""
    about = json.loads(note)
    has, limit = size(about["size"]), size(about["limit"])
    lines = [f"⚠️ This mail has {has}, over the limit of {limit}. It stays in the mailbox."]
    if files:
        lines.append(f"Left there: {', '.join(files)}")
    return "\n".join(lines) + (f"\n\n{text}" if text.strip() else "")


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


async def _file(
    tx: Tx, desk: Desk, inbox: Inbox, mail: Mail, body: Body, raw_id: int, raw: bytes,
    at: float, note: str, left: tuple[str, ...], counts: bool,
) -> bool:  # fmt: skip
    """Put the mail where it belongs; whether that is a new conversation."""
    delivery = None
    if mail.report is not None:
        delivery = await bounces.meant(tx, desk, inbox, mail.report)
    about = None
    if delivery is not None:
        about = await tx.conversations.home(inbox.id, delivery.conversation)
    conversation, fresh = await conversation_for(tx, desk, inbox, mail, body, at, about, counts)
    beyond = conversation.is_overflow
    # it may have been moved to another inbox, whose agents answer it now
    home = desk.inbox(conversation.inbox)
    number = conversation.number
    bind_contextvars(conversation=number)
    letter = await _letter(tx, desk, mail, conversation, inbox, at, raw_id)
    mail_id = await tx.mails.save(letter, mail.body_hash, ())
    files = " ".join(each.name for each in mail.attachments)
    await tx.passages.add(
        number, str(mail.sender), at, body.text, mail=mail_id, more=f"{mail.subject} {files}"
    )
    ancestors = mail.ancestors()
    missing = set(ancestors) - {
        message_id for message_id, _ in await tx.mails.conversations_of(inbox.id, ancestors)
    }
    await tx.mails.wait_for(inbox.id, [each for each in ancestors if each in missing], number)
    if mail.nature is Nature.PERSON and not mail.sender.is_of(desk.own_addresses):
        await tx.conversations.add_participants(number, [mail.sender.spec])
    if fresh:
        await tx.jobs.add(MakeRoom(number), f"{Place.of(number)}:out")
    letter = replace(letter, id=mail_id)
    await _show(tx, desk, home, conversation, mail, body, letter, cut=bool(note))
    if delivery is not None and mail.report is not None:
        await bounces.note(tx, desk, inbox, delivery, mail.report, mail_id)
        conversation = await tx.conversations.get(number)
    if delivery is None and not beyond:
        incoming = Incoming.whole(mail, body, raw, letter, fresh)
        if note:
            incoming = replace(incoming, size=json.loads(note)["size"], files=left)
        ruled = await rules.apply(tx, desk, home, conversation, incoming)
        await _mention(tx, conversation, ruled, mail_id)
        conversation = ruled
    await _link_twins(tx, desk, inbox, conversation, mail, mail_id)
    await refresh(tx, desk, conversation)
    return fresh


async def _letter(
    tx: Tx, desk: Desk, mail: Mail, about: Conversation, inbox: Inbox, at: float, raw_id: int
) -> Letter:
    """The row of a mail, not yet saved."""
    own = desk.own_addresses
    known = await tx.mails.addresses(about.number)
    named = (*mail.to, *mail.cc, *mail.reply_to)
    origin = author.forwarded(mail, own)
    return Letter(
        id=MailId(0), inbox=inbox.id, conversation=about.number, outbound=False,
        message_id=mail.message_id, sender=mail.sender, to=mail.to, cc=mail.cc,
        reply_to=mail.reply_to, subject=mail.subject, references=mail.references,
        nature=mail.nature, verdict=mail.verdict, at=at, raw=raw_id,
        new_addresses=tuple(a.key for a in named if a.key not in known and not a.is_of(own)),
        forwarded=origin.sender if origin else None,
        forwarded_subject=origin.subject if origin else "",
    )  # fmt: skip


async def _show(
    tx: Tx, desk: Desk, inbox: Inbox, conversation: Conversation, mail: Mail, body: Body,
    letter: Letter, *, cut: bool,
) -> None:  # fmt: skip
    """The mail's text by its sender's ghost, then its files."""
    mail_id, raw_id, number = letter.id, letter.raw or 0, conversation.number
    beyond = conversation.is_overflow
    person = author.author(mail.sender, mail.reply_to, desk.own_addresses)
    if person.domain == "invalid":  # our own mail: shown as what it is
        person = mail.sender
    ghost = desk.bot if beyond else await picture.bring_in(tx, desk, number, person)
    room, shown = Place.of(number), PostKey.of_mail(Shows.MAIL, mail_id)
    agents = [mxid[1:].partition(":")[0] for mxid in await tx.rooms.agents(inbox.id)]
    ours = (*(each.name for each in desk.settings.inboxes.values()), *agents)
    above = mail_event.lines_above(
        mail, inbox, conversation, letter.new_addresses, ours, person, letter.forwarded
    )  # fmt: skip
    if beyond:
        above = [overflow.line(mail), *above]
    matters = mail.nature is Nature.PERSON and conversation.state is not State.SPAM
    mention = conversation.assignee if matters else None
    content, too_long = mail_event.content(mail, body, above, mention)
    await tx.posts.put(Wanted.message(shown, room, ghost, content))
    if letter.forwarded is not None and not beyond:
        await contact.offer(tx, desk, number, shown)
    files = list(mail.attachments)
    if too_long:
        whole = len((body.whole or mail.text).encode())
        files.append(Attachment(WHOLE_TEXT, "whole text.txt", "text/plain", whole))
    if mail.problem and not cut:
        files.append(Attachment(WHOLE_MAIL, "original.eml", "message/rfc822", 0))
    for file in files:
        key = PostKey.of_mail(Shows.FILE, mail_id, file.part)
        wanted = Wanted.message(key, room, ghost, file_event.placeholder(file))
        await tx.posts.put(replace(wanted, held=file.size < SLOW))
        await tx.posts.add_file(key, raw_id, file)


async def _mention(tx: Tx, before: Conversation, after: Conversation, mail_id: MailId) -> None:
    """A rule gave the conversation to somebody: the mail, which is not posted yet, is for them."""
    post = await tx.posts.by_key(PostKey.of_mail(Shows.MAIL, mail_id))
    if after.assignee == before.assignee or after.assignee is None or post is None:
        return
    content = {**post.content, "m.mentions": {"user_ids": [after.assignee]}}
    await tx.posts.put(Wanted.message(post.key, post.place, post.sender, content))


async def _link_twins(
    tx: Tx, desk: Desk, inbox: Inbox, conversation: Conversation, mail: Mail, mail_id: MailId
) -> None:
    """A mail to two inboxes has a room in each; each names the other."""
    for twin in await tx.mails.twins(inbox.id, mail.message_id, mail.body_hash):
        other = desk.settings.inboxes.get(twin.inbox)
        if other is None:
            continue
        for at, text, key in (
            (conversation.number, f"{other.name}: #{twin.conversation}", (mail_id, twin.id)),
            (twin.conversation, f"{inbox.name}: #{conversation.number}", (twin.id, mail_id)),
        ):
            content = render.notice(f"This mail also went to {text}")
            told = PostKey.of_mail(Shows.TWIN, *key)
            await tx.posts.put(Wanted.message(told, Place.of(at), desk.bot, content))
