"""`!erase` and retention: redacts conversations in Matrix and deletes them from the database."""

from __future__ import annotations

import hashlib
import json

from bridge.chat import admin as texts
from bridge.desk.admin import jobs, question
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.outbound import decisions
from bridge.desk.rooms.refresh import refresh_queue_list
from bridge.desk.triage.unmerge import note_key
from bridge.mail.address import bare
from bridge.model import (
    CONTROL,
    FINISHED_CONVERSATIONS,
    Address,
    Content,
    EventId,
    Job,
    Mxid,
    Number,
    Place,
    Post,
    PostKey,
    Refused,
    Role,
    RoomId,
    Shows,
    Transient,
    forms_of,
)
from bridge.model.admin_task import EmptyLog, ForgetPerson, Purge, RedactMentions
from bridge.model.task import Task
from bridge.ports import Tx

ERASED = {"name": "erased", "topic": ""}
KEEPS_CONTENT = frozenset(
    {"m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility",
     "m.room.guest_access", "m.room.redaction", "m.space.parent"}
)  # fmt: skip
"""Types of events in a conversation's room that contain no personal data and are not redacted."""


async def order(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!erase ADDRESS`: say what would be erased and what stays, and ask for a confirmation."""
    address = bare(asked.rest.strip())
    if address is None:
        raise Refused("Say which address: !erase carla@example.com")
    numbers = await tx.erasing.of_address(address.key)
    letters = await tx.erasing.letters_from(address.key)
    elsewhere = sum(letter.conversation not in numbers for letter in letters)
    elsewhere += len(await jobs.quarantined_from(tx, address))
    if not numbers and not elsewhere:
        raise Refused("Nothing is known of that address; nothing was erased.")
    await question.ask(tx, asked.who, question.ERASE, address.key, desk.now())
    return texts.erasure(
        address.spec, numbers, elsewhere, desk.ghost(address), desk.settings.command_prefix
    )


async def erase_confirmed(tx: Tx, desk: Desk, asked: Request, spec: str) -> str:
    """Carry out a confirmed erasure: add a job for each room that contains the address, and an
    audit entry."""
    address = Address(spec)
    numbers = await tx.erasing.of_address(spec)
    letters = [x for x in await tx.erasing.letters_from(spec) if x.conversation not in numbers]
    stuck = await jobs.quarantined_from(tx, address)
    for number in numbers:
        await order_purge(tx, desk, number, ids=False)
    others = dict.fromkeys(letter.conversation for letter in letters)
    others |= dict.fromkeys(await tx.erasing.visited(desk.ghost(address)))
    for number in (each for each in others if each not in numbers):
        await tx.jobs.add(ForgetPerson(number, spec), f"{Place.of(number)}:out")
    for job in stuck:
        await jobs.discard(tx, job)
    await tx.erasing.forget_participant(spec)
    for kind in (question.ASKED, question.DEED):
        for name, value in (await tx.settings.values(kind)).items():
            about = json.loads(value)["about"].casefold()
            if any(form in about for form in forms_of(spec)):
                await tx.settings.drop_value(name)
    mark = hashlib.sha256(spec.encode()).hexdigest()[:16]
    what = texts.erased(len(numbers), len(letters) + len(stuck))
    await tx.audit.add(desk.now(), asked.who, f"erased an address (sha256 {mark}…): {what}")
    await tx.jobs.add(RedactMentions(spec), "control:unsay")
    return f"Erased: {what}. The record of it in !audit names no address."


async def redact_mentions(desk: Desk, job: Job[RedactMentions]) -> None:
    """Redact mentions of an erased address outside of its rooms: in the control room, in lists and
    search results, and in the admins' commands that these answer."""
    async with desk.store.reading() as tx:
        posts = await tx.erasing.posts_naming(job.task.spec)
        rooms = [await desk.resolve(tx, post.place) for post in posts]
    for post, where in zip(posts, rooms, strict=True):
        if where is not None:
            await _redact_post(desk, where, post)
            if post.place == CONTROL and post.target is not None:
                await _redact(desk, where, post.target)
    async with desk.store.transaction("erased") as tx:
        await _done(tx, job)
        for post in posts:
            await tx.erasing.forget_post(post.id)
            if post.place == CONTROL and post.target is not None:
                await tx.events.blank(post.target)


async def _redact_post(desk: Desk, room: RoomId, post: Post) -> None:
    """Redact the event of a post, and every edit of it."""
    if post.event is not None:
        edits = [EventId(edit["event_id"]) for edit in await desk.chat.edits(room, post.event)]
        for event in (post.event, *edits):
            await _redact(desk, room, event)


async def erase_person(desk: Desk, job: Job[ForgetPerson]) -> None:
    """Erase a person from somebody else's conversation: their mails, and their name."""
    number, address = job.task.number, Address(job.task.spec)
    ghost = desk.ghost(address)
    async with desk.store.reading() as tx:
        conversation = await tx.conversations.get(number)
    if conversation.room is not None:
        await desk.chat.kick(conversation.room, ghost, "erased")
        for event in await desk.chat.history(conversation.room):
            of_ghost = ghost in (event.get("sender"), event.get("state_key"))
            if of_ghost and _says_something(event, number):
                await _redact(desk, conversation.room, EventId(event["event_id"]))
    async with desk.store.reading() as tx:
        to_them = await tx.erasing.letters_to(number, address.key)
        told = [
            await tx.posts.by_key(PostKey.of_mail(Shows.WENT, letter.id, number))
            for letter in to_them
        ]
        for letter in await tx.erasing.letters_from(address.key):
            if letter.conversation == number:  # also posts that other ghosts or the bot sent
                told += [p for p in await tx.posts.of_mail(letter.id) if p.sender != ghost]
    for post in told:
        if post is not None and conversation.room is not None:
            await _redact_post(desk, conversation.room, post)
    async with desk.store.transaction("erased") as tx:
        await _done(tx, job)
        from_them = await tx.erasing.letters_from(address.key)
        for letter in (*to_them, *(each for each in from_them if each.conversation == number)):
            await tx.erasing.forget_mail(letter.id)
        for post in told:
            if post is not None:
                await tx.erasing.forget_post(post.id)
        await tx.passages.scrub()
        await tx.erasing.forget_person(number, ghost)


async def _done(tx: Tx, job: Job[Task]) -> None:
    """Finish an erasing job, and add one that removes the erased data from the database's log."""
    await tx.jobs.finish(job)
    await tx.jobs.add(EmptyLog(job.id), "scrub")


async def empty_log(desk: Desk, job: Job[EmptyLog]) -> None:
    """Empty the database's write-ahead log, which still contains the erased data. Raises Transient
    while something reads from it, for example a backup."""
    if not await desk.store.truncate_log():
        raise Transient("somebody still reads the database's log", retry_after=1.0)
    async with desk.store.transaction("erased") as tx:
        await tx.jobs.finish(job)


async def order_purge(tx: Tx, desk: Desk, number: Number, *, ids: bool) -> None:
    """Add the job that purges a conversation; stop its unsent mails first."""
    conversation = await tx.conversations.get(number)
    for delivery in await tx.deliveries.under_way(conversation.inbox):
        if delivery.conversation == number:
            inbox = desk.inbox(conversation.inbox)
            await decisions.withdraw(tx, desk, inbox, delivery, "the conversation was erased")
    await tx.jobs.add(Purge(number, ids=ids), f"{Place.of(number)}:out")


async def purge(desk: Desk, job: Job[Purge]) -> None:
    """Redact room and card, remove everybody, delete the rows; every step can be repeated. `ids` of
    the job: keep Message-IDs (retention), otherwise delete them, too (`!erase`)."""
    number, ids = job.task.number, job.task.ids
    async with desk.store.transaction("erased") as tx:
        await tx.jobs.assert_leased(job)
        conversation = await tx.conversations.get(number)
        if ids and conversation.contact.spec and conversation.state not in FINISHED_CONVERSATIONS:
            await tx.jobs.finish(job)  # reopened meanwhile: do not purge
            return
        await tx.erasing.mark_erased(number)
        await tx.settings.drop_value(note_key(number))
    async with desk.store.reading() as tx:
        space = await tx.rooms.find(Role.SPACE, conversation.inbox)
        said = await tx.erasing.posts_linking(number, conversation.room or RoomId("!none:none"))
        shown_in = [await desk.resolve(tx, post.place) for post in said]
        begun_by = await tx.erasing.composed(number)
        queues = {p.place.inbox for p in said if p.place.role is Role.QUEUE and p.place.inbox}
        inboxes = sorted({conversation.inbox, *queues})
        summaries = [
            await tx.posts.by_key(PostKey.other(Shows.SUMMARY, inbox)) for inbox in inboxes
        ]
        summed_in = [await desk.resolve(tx, Place.queue(inbox)) for inbox in inboxes]
    reachable = await desk.chat.joined_rooms()  # in a lost room nothing can be redacted
    for post, where in zip(said, shown_in, strict=True):
        if where in reachable:
            await _redact_post(desk, where, post)
    edits: list[EventId] = []
    for event in begun_by:
        if event.room not in reachable:
            continue
        edits += [EventId(e["event_id"]) for e in await desk.chat.edits(event.room, event.id)]
        for each in (event.id, *edits):
            await _redact(desk, event.room, each)
    for summary, where in zip(summaries, summed_in, strict=True):
        if summary is not None and summary.event is not None and where in reachable:
            for edit in await desk.chat.edits(where, summary.event):
                if f"#{number} " in str(edit.get("content")):
                    await _redact(desk, where, EventId(edit["event_id"]))
    if conversation.room is not None:
        if conversation.room in reachable:
            await _empty(desk, conversation.room, number)
        if space is not None and space.id in reachable:
            await desk.chat.set_state(space.id, "m.space.child", conversation.room, {})
    async with desk.store.transaction("erased") as tx:
        await _done(tx, job)
        for post in said:
            await tx.erasing.forget_post(post.id)
        for each in (*(event.id for event in begun_by), *edits):
            await tx.events.blank(each)
        await tx.erasing.forget(number, conversation.room, ids=ids)
        await tx.passages.scrub()
        for inbox, summary in zip(inboxes, summaries, strict=True):
            if summary is not None and inbox in desk.settings.inboxes:
                # the current version does not list the conversation any more
                await refresh_queue_list(tx, desk, desk.inbox(inbox))


async def _empty(desk: Desk, room: RoomId, number: Number) -> None:
    """Remove people, redact every event with content, and leave the room."""
    members = await desk.chat.members(room)
    for mxid, membership in members.items():
        if membership in ("join", "invite") and mxid != desk.bot:
            await desk.chat.kick(room, Mxid(mxid), "this conversation was erased")
    for key, text in ERASED.items():
        shown = f"#{number} {text}" if key == "name" else text
        await desk.chat.set_state(room, f"m.room.{key}", "", {key: shown})
    for event in await desk.chat.history(room):
        if _says_something(event, number):
            await _redact(desk, room, EventId(event["event_id"]))
    await desk.chat.leave(room)


def _says_something(event: Content, number: Number) -> bool:
    content = event.get("content") or {}
    if not content or event.get("type") in KEEPS_CONTENT:
        return False
    if event.get("type") == "m.room.member":
        return bool(content.get("displayname"))
    return content not in ({"name": f"#{number} erased"}, {"topic": ""})


async def _redact(desk: Desk, room: RoomId, event: EventId) -> None:
    txn = hashlib.sha256(f"{desk.keys.for_aliases}:purge:{event}".encode()).hexdigest()[:32]
    await desk.chat.redact(room, desk.bot, event, txn)


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "erase",
        Role.CONTROL,
        "ADDRESS",
        "Erase everything about one person: redacts it in the rooms and deletes it here. "
        "Says what stays, and asks first.",
        order,
    ),
)
