"""Sends one post to its room."""

from __future__ import annotations

import math

import structlog

from bridge.desk.desk import Desk
from bridge.desk.rooms import picture, refusal, speak
from bridge.desk.rooms.lost import is_lost, make_anew
from bridge.desk.rooms.names import with_names
from bridge.model import (
    Content,
    EventId,
    HomeserverError,
    Job,
    Kind,
    Mxid,
    Permanent,
    Post,
    Role,
    RoomId,
    Shows,
    Transient,
)
from bridge.model.task import BringPost

NEEDS_ROOM = (Kind.MESSAGE, Kind.INVITE)
"""What a lost room of a conversation is made anew for; the others changed the lost one alone."""
log = structlog.get_logger("post")


async def post(desk: Desk, job: Job[BringPost]) -> None:
    """Send, edit, redact, invite …, so that the room shows the newest version of the post.

    The transaction id is a hash over the post and its version, so a repeat is the same event.
    A repeat first looks for the event of an earlier attempt. Raises Permanent where post or room
    do not exist, Transient where the room is not created yet.
    """
    async with desk.store.reading() as tx:
        wanted = await tx.posts.get(job.task.post)
        if wanted is None:
            raise Permanent(f"post {job.task.post} is not there")
        room = await desk.resolve(tx, wanted.place)
        target = await tx.posts.target_of(wanted)
    if wanted.sent >= wanted.version:
        async with desk.store.transaction("posted") as tx:
            await tx.jobs.finish(job)
        return
    if room is None:
        if wanted.place.role is Role.CONVERSATION:
            raise Permanent(f"{wanted.place} has no room to post in")
        raise Transient(f"{wanted.place} has no room yet", retry_after=1.0)
    began = math.floor(desk.now() * 1000) / 1000  # events have whole milliseconds
    try:
        event, spoken_by = await _bring(desk, wanted, room, target, retried=job.leases > 1)
    except HomeserverError as error:
        if not await _goes_on(desk, job, wanted, room, error):
            raise
        return
    async with desk.store.transaction("posted") as tx:
        await tx.jobs.finish(job)
        await tx.posts.sent(wanted, wanted.version, event, spoken_by)
        if wanted.key.shows is Shows.STATUS:  # an earlier yes was for the earlier version
            await tx.deliveries.update(wanted.key.delivery or 0, shown_at=began)


async def _goes_on(
    desk: Desk, job: Job[BringPost], wanted: Post, room: RoomId, error: HomeserverError
) -> bool:
    """Finish the job of a post that was refused, if the rest can go on without it, or if its room
    is lost: then add the jobs that make the room anew and show the post there."""
    lost = error.status in (403, 404) and await is_lost(desk, room)
    if not lost and not refusal.is_optional(wanted):
        return False
    async with desk.store.transaction("posted") as tx:
        await tx.jobs.assert_leased(job)
        known = await tx.rooms.known(room)
        if lost and known is not None and (wanted.kind in NEEDS_ROOM or not known.conversation):
            if await make_anew(tx, desk, known) and known.place == wanted.place:
                return True  # its job was dropped with those of the other posts
        elif not lost:
            await refusal.note(tx, desk, wanted, known, error)
        await tx.jobs.finish(job)
    return True


async def is_on_its_way(desk: Desk, room: RoomId, event: EventId) -> bool:
    """Whether an event is a post of ours whose event id is not stored yet: we can receive it before
    the homeserver answers our request, or after a crash in between."""
    shown = await desk.chat.event(room, event)
    content = shown.get("content") if shown is not None else None
    mark = content.get(speak.MARK) if isinstance(content, dict) else None
    if shown is None or shown.get("sender") != desk.bot or not isinstance(mark, str):
        return False
    async with desk.store.reading() as tx:
        number = mark.partition(".")[0]
        wanted = await tx.posts.get(int(number)) if number.isdecimal() else None
    return wanted is not None and wanted.event is None and wanted.sent < wanted.version


async def _bring(
    desk: Desk, post: Post, room: RoomId, target: EventId | None, *, retried: bool
) -> tuple[EventId | None, str]:
    """Make the change in Matrix. Returns the id of the event that now represents the post, and who
    sent it in place of the post's sender."""
    if post.kind is Kind.MESSAGE:
        return await speak.say(desk, post, room, target, retried=retried)
    return await _change(desk, post, room, target, retried=retried), ""


async def _change(
    desk: Desk, post: Post, room: RoomId, target: EventId | None, *, retried: bool
) -> EventId | None:
    """Bring a post that is no message."""
    chat = desk.chat
    match post.kind:
        case Kind.REACTION:
            return await _react(desk, post, room, target, retried=retried)
        case Kind.STATE:
            content = _filled(await with_names(desk, post.content, room), target)
            if "initials" in content:
                content = {"url": await picture.upload_avatar(desk, content, waits=True)}
            return await chat.set_state(room, post.type, post.state_key, content)
        case Kind.REDACTION:
            if target is not None:
                await chat.redact(room, post.sender, target, speak.txn_id(desk, post))
        case Kind.INVITE:
            is_direct = bool(post.content.get("is_direct"))
            await chat.invite(room, Mxid(post.state_key), direct=is_direct)
        case Kind.KICK:
            await chat.kick(room, Mxid(post.state_key), post.content.get("reason", ""))
        case Kind.ENTER:
            await _enter(desk, post, room)
    return None


async def _enter(desk: Desk, post: Post, room: RoomId) -> None:
    """Let a ghost join. One that cannot join cannot speak either: the bot speaks for it."""
    try:
        await speak.enter(desk, room, post.state_key, post.content)
    except HomeserverError as error:
        if error.status != 403:
            raise
        log.warning("a ghost cannot join", ghost=post.state_key, error=str(error))


def _filled(content: Content, target: EventId | None) -> Content:
    """A state event's content with each `$target` replaced by the event id of the target post."""
    filled: Content = {}
    for key, value in content.items():
        if isinstance(value, list):
            filled[key] = [target if each == "$target" else each for each in value]
        else:
            filled[key] = value
    return filled


async def _react(
    desk: Desk, post: Post, room: RoomId, target: EventId | None, *, retried: bool
) -> EventId | None:
    """Send a reaction. If one was sent before, redact it first; an empty emoji only redacts."""
    if post.event is not None:
        await desk.chat.redact(room, post.sender, post.event, speak.txn_id(desk, post, "undo"))
    if target is None or not post.content.get("emoji"):
        return None
    content = {
        "m.relates_to": {
            "rel_type": "m.annotation",
            "event_id": target,
            "key": post.content["emoji"],
        },
        speak.MARK: speak.mark(post),
    }
    return await speak.send(desk, post, room, content, retried=retried)
