"""`!export`: uploads the mails of a conversation, or of a whole inbox, as .mbox files."""

from __future__ import annotations

import asyncio

from bridge.chat import admin as texts
from bridge.chat import file_event
from bridge.desk.admin import inboxes
from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext, Request
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import answer_with
from bridge.mail import mbox
from bridge.model import (
    CONTROL,
    Attachment,
    EventId,
    InboxId,
    Job,
    Number,
    Place,
    PostKey,
    Refused,
    Role,
    Shows,
    Wanted,
    words,
)
from bridge.model.admin_task import Export
from bridge.ports import Tx

TYPE = "application/mbox"


async def order(tx: Tx, desk: Desk, asked: Request) -> str:
    """In the control room: export a conversation (`!export #12`) or an inbox."""
    what = asked.rest.strip().casefold()
    if (digits := words.number(what)) is not None:
        number = Number(digits)
        if not await tx.mails.of_conversation(number):
            raise Refused(f"There is no conversation #{number} with mails.")
        await _job(tx, asked.event.id, CONTROL, [number], f"conversation-{number}")
        return texts.exporting(f"#{number}")
    if not what:
        raise Refused("Say what: !export #12, or !export INBOX for all its mails.")
    if InboxId(what) not in desk.directory.removed:  # a removed inbox can still be exported
        await inboxes.named(tx, desk, asked, 1)
    numbers = await tx.conversations.numbers(InboxId(what))
    if not numbers:
        raise Refused(f"Inbox {what} has no conversation.")
    await _job(tx, asked.event.id, CONTROL, numbers, what)
    return texts.exporting(what)


async def order_here(tx: Tx, desk: Desk, context: CommandContext) -> str:
    """In a conversation's room: export its mails."""
    number = context.conversation.number
    await _job(tx, context.event.id, context.where, [number], f"conversation-{number}")
    return texts.exporting(f"#{number}")


async def _job(tx: Tx, event: EventId, place: Place, numbers: list[Number], name: str) -> None:
    await tx.jobs.add(Export(event, place=str(place), numbers=tuple(numbers), name=name))


async def export(desk: Desk, job: Job[Export]) -> None:
    """Upload the files and show them; after a crash all are made again. A mail without stored
    bytes, or larger than the upload limit, is counted as missing."""
    event, name, place = job.task.event, job.task.name, Place.read(job.task.place)
    limit = desk.settings.limits.upload_size or await desk.chat.upload_limit()
    mails = missing = parts = 0
    part = bytearray()
    for number in job.task.numbers:
        async with desk.store.reading() as tx:
            letters = await tx.mails.of_conversation(number)
        for letter in letters:
            async with desk.store.reading() as tx:
                raw = await tx.mails.raw(letter.raw) if letter.raw is not None else b""
            entry = b""
            if raw:
                entry = await asyncio.to_thread(mbox.entry, letter.sender.spec, letter.at, raw)
            if not entry or len(entry) > limit:
                missing += 1
                continue
            if part and len(part) + len(entry) > limit:
                parts += 1
                await _show(desk, job, f"{name}-{parts}.mbox", parts, bytes(part))
                part.clear()
            part += entry
            mails += 1
    if part:
        parts += 1
        last = f"{name}-{parts}.mbox" if parts > 1 else f"{name}.mbox"
        await _show(desk, job, last, parts, bytes(part))
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        content = desk.quiet_message(texts.exported(name, mails, missing))
        await answer_with(tx, desk, place, event, content)


async def _show(desk: Desk, job: Job[Export], name: str, part: int, data: bytes) -> None:
    mxc = await desk.chat.upload_media(name, TYPE, data)
    async with desk.store.transaction("told") as tx:
        await tx.jobs.assert_leased(job)
        content = file_event.content(Attachment(0, name, TYPE, len(data)), mxc, len(data))
        key, place = PostKey.other(Shows.EXPORT, job.task.event, part), Place.read(job.task.place)
        await tx.posts.put(Wanted.message(key, place, desk.bot, content))


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "export",
        Role.CONVERSATION,
        "",
        "Get all mails of this conversation as an .mbox file, attachments included.",
        order_here,
        works_after_merge=True,
    ),
)


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "export",
        Role.CONTROL,
        "#NUMBER | INBOX",
        "Get the mails of a conversation, or of a whole inbox, as .mbox files.",
        order,
    ),
)
