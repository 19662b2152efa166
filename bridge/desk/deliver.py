"""Deliver: one attempt at one mail, with every step written down before it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bridge import metrics
from bridge.chat import command
from bridge.desk import quotation
from bridge.desk.decide import stop
from bridge.desk.desk import Desk
from bridge.desk.reply import show
from bridge.desk.sent import next_try, settle
from bridge.inbox import Inbox
from bridge.mail import compose, limits
from bridge.mail.provider import of_host
from bridge.mail.written import from_matrix
from bridge.model import (
    Address,
    Content,
    Delivery,
    DeliveryState,
    Fate,
    Job,
    Permanent,
    Refused,
    Transient,
)

ATTEMPTABLE = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.DEFERRED)
MAX_FILES = 100 * 1024 * 1024
"""Bytes of one file of an agent."""


async def deliver(desk: Desk, job: Job) -> None:
    """Attempt a delivery that is due. What was cut off after DATA began is unknown, never
    simply tried again."""
    async with desk.store.reading() as tx:
        delivery = await tx.deliveries.get(job.payload["delivery"])
        built = await tx.deliveries.mime(delivery.id)
    inbox = desk.inbox(delivery.inbox)
    if delivery.state is DeliveryState.SENDING and delivery.data_begun:
        await _resolve_unknown(desk, job, inbox, delivery)
        return
    if inbox.smtp is None:
        await _fail(desk, job, delivery, f"inbox {inbox.name} has no outgoing server any more")
        return
    if inbox.paused:
        raise Transient(f"inbox {inbox.id} is paused", retry_after=60.0)
    if delivery.state not in ATTEMPTABLE:
        async with desk.store.transaction("verdict") as tx:
            await tx.jobs.finish(job)
        return
    if built is None:
        try:
            built = await _build(desk, inbox, delivery)
        except Refused as error:
            async with desk.store.transaction("verdict") as tx:
                await stop(tx, desk, await tx.deliveries.get(delivery.id), str(error))
                await tx.jobs.finish(job)
            return
        except Permanent as error:
            await _fail(desk, job, delivery, str(error))
            return
    await _attempt(desk, job, inbox, delivery, built)


async def _attempt(desk: Desk, job: Job, inbox: Inbox, delivery: Delivery, mime: bytes) -> None:
    async with desk.store.transaction("attempt") as tx:
        await tx.jobs.hold(job)
        current = await tx.deliveries.get(delivery.id)
        if current.state not in ATTEMPTABLE:  # stopped meanwhile
            await tx.jobs.finish(job)
            return
        attempts = current.attempts + 1
        await tx.deliveries.update(
            delivery.id, state=DeliveryState.SENDING, attempts=attempts, data_begun=False,
            run_at=desk.now() + next_try(attempts),
        )  # fmt: skip

    async def data_begun() -> None:
        async with desk.store.transaction("data-begun") as tx:
            await tx.jobs.hold(job)
            await tx.deliveries.update(delivery.id, data_begun=True)

    open_ = [r.address.spec for r in delivery.recipients if r.fate in (Fate.PENDING, Fate.DEFERRED)]
    fates = await desk.sender.send(inbox, inbox.address, open_, mime, data_begun)
    unknown = [spec for spec, (fate, _) in fates.items() if fate is Fate.UNKNOWN]
    if unknown and await _found_in_sent(desk, inbox, delivery):
        fates = {**fates, **dict.fromkeys(unknown, (Fate.SENT, "found in the Sent folder"))}
    await _verdict(desk, job, inbox, delivery, fates)


async def _verdict(
    desk: Desk, job: Job, inbox: Inbox, delivery: Delivery, fates: Mapping[str, tuple[Fate, str]]
) -> None:
    """Note what the server said. A store that fails just now is tried again a while: what is not
    noted would have to be asked about."""
    for pause in (0.2, 1.0, 5.0, None):
        try:
            async with desk.store.transaction("verdict") as tx:
                await tx.jobs.finish(job)
                await tx.deliveries.set_fates(delivery.id, fates)
                settled = await settle(tx, desk, inbox, await tx.deliveries.get(delivery.id))
            metrics.sent.labels(inbox.id, settled.state.value).inc()
            if settled.state is DeliveryState.SENT:
                took = desk.now() - settled.created_at - inbox.undo
                metrics.delivery.labels(inbox.id).observe(max(0.0, took))
            return
        except Transient:
            if pause is None:
                raise
            await asyncio.sleep(pause)


async def _resolve_unknown(desk: Desk, job: Job, inbox: Inbox, delivery: Delivery) -> None:
    """We died after DATA began: the Sent folder may know, else a person must say."""
    found = await _found_in_sent(desk, inbox, delivery)
    fate = (Fate.SENT, "found in the Sent folder") if found else (Fate.UNKNOWN, "")
    open_ = [r for r in delivery.recipients if r.fate in (Fate.PENDING, Fate.DEFERRED)]
    await _verdict(desk, job, inbox, delivery, {r.address.spec: fate for r in open_})


async def _found_in_sent(desk: Desk, inbox: Inbox, delivery: Delivery) -> bool:
    """Whether the provider kept a copy. It proves nothing once some recipient was reached: the
    copy may be of that attempt."""
    async with desk.store.reading() as tx:
        message_id = (await tx.deliveries.get(delivery.id)).message_id
        ids = [message_id] if message_id is not None else []
        left_before = bool(await tx.mails.conversations_of(inbox.id, ids))
    reached = any(recipient.fate.arrived for recipient in delivery.recipients)
    if inbox.imap is None or message_id is None or reached or left_before:
        return False
    try:
        return await desk.mailbox.find_sent(inbox, message_id)
    except Exception:  # noqa: BLE001 - not knowing is an answer here: a person will be asked
        return False


async def _fail(desk: Desk, job: Job, delivery: Delivery, why: str) -> None:
    async with desk.store.transaction("verdict") as tx:
        await tx.jobs.finish(job)
        failed = await tx.deliveries.update(
            delivery.id, state=DeliveryState.FAILED, detail=why, finished_at=desk.now()
        )
        await show(tx, desk, failed)


async def _build(desk: Desk, inbox: Inbox, delivery: Delivery) -> bytes:
    """Read the source from the homeserver as it is now, and make the bytes of every attempt.

    Raises Refused when it must not go out any more: gone, edited into something else, or its
    sender no longer an agent. Transient when the homeserver does not say.
    """
    async with desk.store.reading() as tx:
        about = await tx.conversations.get(delivery.conversation)
        queue = await tx.rooms.find("queue", delivery.inbox)
        letter = await tx.mails.letter(delivery.answers) if delivery.answers else None
        tags = inbox.reply_tokens == "auto" and await tx.keep.value(f"tags:{inbox.address}")
    if about.room is None or queue is None:
        raise Refused("its room is gone")
    if await desk.chat.membership(queue.room, delivery.agent) != "join":
        raise Refused(f"{delivery.agent} is no agent of {inbox.name} any more")
    source = await desk.chat.event(about.room, delivery.source)
    content = command.latest(source) if source else None
    if content is None:
        raise Refused("the message was removed")
    if delivery.order != delivery.source:
        order = await desk.chat.event(about.room, delivery.order)
        if not order or not order.get("content"):
            raise Refused("the order to send it was taken back")
    text, html = _words(desk, content, is_command=delivery.order == delivery.source)
    if not text.strip() and not html and not delivery.files:
        raise Refused("the message was emptied")
    files = [await _file(desk, about.room, file) for file in delivery.files]
    too_large = limits.over([(each.name, len(each.data)) for each in files], inbox.attachments)
    if too_large:
        raise Permanent(too_large)
    name = await desk.chat.display_name(queue.room, delivery.agent)
    message_id = desk.tokens.message_id(about.number, delivery.id, inbox.domain)
    references = compose.references_for(letter.message_id, letter.references) if letter else ()
    by_field = {
        field: tuple(r.address for r in delivery.recipients if r.field == field)
        for field in ("to", "cc")
    }
    reply_to = Address(inbox.reply_to) if inbox.reply_to else None
    if tags and reply_to is None:
        reply_to = Address(desk.tokens.reply_address(about.number, inbox.address))
    outgoing = compose.Outgoing(
        message_id=message_id,
        sender=Address(inbox.address, inbox.sender_name.format(agent=name, inbox=inbox.name)),
        to=by_field["to"], cc=by_field["cc"], subject=delivery.subject, at=desk.now(),
        text=text, html=html, signature=inbox.signature,
        in_reply_to=letter.message_id if letter else None, references=references,
        files=tuple(files),
        reply_to=reply_to, quote=await quotation.of(desk, inbox, letter) if inbox.quote else None,
    )  # fmt: skip
    mime = await asyncio.to_thread(compose.build, outgoing)
    async with desk.store.transaction("built") as tx:
        await tx.deliveries.set_mime(delivery.id, mime, message_id)
    return mime


def _words(desk: Desk, content: Content, *, is_command: bool) -> tuple[str, str]:
    """(text, HTML) of a source message, without the command word."""
    if command.is_file(content):
        filename = content.get("filename")
        caption = str(content.get("body") or "")
        return ("" if filename in (None, caption) else caption), ""
    text = command.new_text(content)
    said = command.parse_text(text, desk.settings.command_prefix)
    if said is not None and said.name == "reply":
        return said.rest, ""
    if is_command or said is not None:
        raise Refused("the message was edited into something else")
    formatted = content.get("formatted_body")
    if content.get("format") == "org.matrix.custom.html" and isinstance(formatted, str):
        return from_matrix(formatted)
    return text, ""


async def _file(desk: Desk, room: str, event_id: str) -> compose.File:
    event = await desk.chat.event(room, event_id)  # type: ignore[arg-type]  # NewTypes of str
    content = command.latest(event) if event else None
    if content is None or not command.is_file(content):
        raise Refused("a file of it was removed")
    url = content.get("url")
    if not isinstance(url, str):
        raise Permanent("an encrypted file cannot be sent; upload it again in this room")
    name = str(content.get("filename") or content.get("body") or "file")
    info = content.get("info")
    type_ = str(info.get("mimetype", "")) if isinstance(info, dict) else ""
    shown = content.get("msgtype") == "m.image"
    return compose.File(name, type_, await desk.chat.download(url, MAX_FILES), shown)


async def copy(desk: Desk, job: Job) -> None:
    """Put a sent mail into the Sent folder, unless the provider did already."""
    async with desk.store.reading() as tx:
        delivery = await tx.deliveries.get(job.payload["delivery"])
        mime = await tx.deliveries.mime(delivery.id)
    inbox = desk.inbox(delivery.inbox)
    provider = of_host(inbox.imap.host) if inbox.imap is not None else None
    kept_by_provider = inbox.sent_copy == "auto" and provider is not None and provider.keeps_sent
    message_id = delivery.message_id
    wanted = inbox.imap is not None and not kept_by_provider
    if wanted and mime is not None and message_id is not None:
        found = await desk.mailbox.find_sent(inbox, message_id)
        if not found:
            await desk.mailbox.append_sent(inbox, mime)
    async with desk.store.transaction("copied") as tx:
        await tx.jobs.finish(job)
