"""Sends one post to its room."""

from __future__ import annotations

import hashlib
import math

from bridge.chat import render
from bridge.desk.desk import Desk
from bridge.desk.rooms import picture
from bridge.model import (
    Content,
    EventId,
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

MARK = "app.postroom.post"


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
    event = await _bring(desk, wanted, room, target, retried=job.leases > 1)
    async with desk.store.transaction("posted") as tx:
        await tx.jobs.finish(job)
        await tx.posts.sent(wanted, wanted.version, event)
        if wanted.key.shows is Shows.STATUS:  # an earlier yes was for the earlier version
            await tx.deliveries.update(wanted.key.delivery or 0, shown_at=began)


async def is_on_its_way(desk: Desk, room: RoomId, event: EventId) -> bool:
    """Whether an event is a post of ours whose event id is not stored yet: we can receive it before
    the homeserver answers our request, or after a crash in between."""
    shown = await desk.chat.event(room, event)
    content = shown.get("content") if shown is not None else None
    mark = content.get(MARK) if isinstance(content, dict) else None
    if shown is None or shown.get("sender") != desk.bot or not isinstance(mark, str):
        return False
    async with desk.store.reading() as tx:
        number = mark.partition(".")[0]
        wanted = await tx.posts.get(int(number)) if number.isdecimal() else None
    return wanted is not None and wanted.event is None and wanted.sent < wanted.version


def txn_id(desk: Desk, post: Post, step: str = "") -> str:
    text = f"{desk.keys.for_aliases}:{post.id}:{post.version}:{post.sender}:{step}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def _bring(
    desk: Desk, post: Post, room: RoomId, target: EventId | None, *, retried: bool
) -> EventId | None:
    """Make the change in Matrix. Returns the id of the event that now represents the post."""
    chat = desk.chat
    match post.kind:
        case Kind.MESSAGE:
            content = render.fit(_message(post, target))
            event = await _send(desk, post, room, content, retried=retried)
            return post.event or event
        case Kind.REACTION:
            return await _react(desk, post, room, target, retried=retried)
        case Kind.STATE:
            content = _filled(post.content, target)
            if "initials" in content:
                content = {"url": await picture.upload_avatar(desk, content, waits=True)}
            return await chat.set_state(room, post.type, post.state_key, content)
        case Kind.REDACTION:
            if target is not None:
                await chat.redact(room, post.sender, target, txn_id(desk, post))
        case Kind.INVITE:
            await chat.invite(room, Mxid(post.state_key))
        case Kind.KICK:
            await chat.kick(room, Mxid(post.state_key), post.content.get("reason", ""))
        case Kind.ENTER:
            face = await picture.upload_avatar(desk, post.content)
            await chat.join_ghost(room, post.state_key, post.content["name"], face)
    return None


def _message(post: Post, target: EventId | None) -> Content:
    mark = f"{post.id}.{post.version}"
    if post.event is None:
        content = {**post.content, MARK: mark}
        if target is not None:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": target}}
        return content
    # an edit notifies nobody: clients notify only for mentions that are new in it
    return {
        **{key: value for key, value in post.content.items() if key != "app.postroom.mail"},
        "body": f"* {post.content['body']}",
        "m.new_content": post.content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": post.event},
        "m.mentions": {},
        MARK: mark,
    }


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
        await desk.chat.redact(room, post.sender, post.event, txn_id(desk, post, "undo"))
    if target is None or not post.content.get("emoji"):
        return None
    content = {
        "m.relates_to": {
            "rel_type": "m.annotation",
            "event_id": target,
            "key": post.content["emoji"],
        },
        MARK: f"{post.id}.{post.version}",
    }
    return await _send(desk, post, room, content, retried=retried)


async def _send(
    desk: Desk, post: Post, room: RoomId, content: Content, *, retried: bool
) -> EventId | None:
    if retried:
        found = await desk.chat.find_sent(room, post.sender, content[MARK])
        if found is not None:
            return found
    try:
        return await desk.chat.send(room, post.sender, post.type, content, txn_id(desk, post))
    except Permanent as error:
        code = getattr(error, "code", "")
        if code == "M_DUPLICATE_ANNOTATION":
            return await desk.chat.find_sent(room, post.sender, content[MARK])
        if code != "M_FORBIDDEN" or post.sender == desk.bot:
            raise
    # somebody removed the ghost from the room: join it again, once
    async with desk.store.reading() as tx:
        entry = await tx.posts.entry(post.place, post.sender)
    content_of = entry.content if entry else {"name": post.sender}
    face = await picture.upload_avatar(desk, content_of)
    await desk.chat.join_ghost(room, post.sender, content_of["name"], face)
    return await desk.chat.send(room, post.sender, post.type, content, txn_id(desk, post))
