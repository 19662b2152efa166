"""Sends messages as the ghosts of people, or as the bot where a ghost cannot speak."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import structlog

from bridge.chat import render
from bridge.desk.desk import Desk
from bridge.desk.rooms import picture, refusal
from bridge.desk.rooms.names import with_names
from bridge.model import Content, EventId, HomeserverError, Post, RoomId, Shows

log = structlog.get_logger("speak")

MARK = "app.postroom.post"
"""The key of an event's content that says which post and version it shows."""


def txn_id(desk: Desk, post: Post, step: str = "") -> str:
    """The transaction id: a hash over the post and its version, so a repeat is the same event."""
    text = f"{desk.keys.for_aliases}:{post.id}:{post.version}:{post.sender}:{step}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def mark(post: Post) -> str:
    return f"{post.id}.{post.version}"


async def say(
    desk: Desk, post: Post, room: RoomId, target: EventId | None, *, retried: bool
) -> tuple[EventId | None, str]:
    """Send a message or an edit. Returns the event that shows the post now, and who sent it in
    place of its sender, empty for nobody."""
    if not post.spoken_by:
        # a preview is what leaves, to the letter; what comes from mails says what it says
        quotes = post.key.shows in (Shows.MAIL, Shows.FILE) or render.QUOTES in post.content
        is_ours = post.sender == desk.bot and not quotes
        shown = await with_names(desk, post.content, room) if is_ours else post.content
        content = render.fit(_content(post, shown, target))
        try:
            sent = await send(desk, post, room, content, retried=retried)
            return post.event or sent, ""
        except HomeserverError as error:
            if post.sender == desk.bot or error.status != 403:
                raise
            log.warning("a ghost cannot speak, the bot does", ghost=post.sender, error=str(error))
        post = replace(post, event=None)  # clients ignore our edits of the ghost's event
    name = await _name(desk, post)
    content = render.fit(_content(post, render.on_behalf(post.content, name), target))
    sent = await _send_once(desk, post, room, desk.bot, content, retried=retried)
    return post.event or sent, desk.bot


def _content(post: Post, content: Content, target: EventId | None) -> Content:
    if post.event is None:
        content = {**content, MARK: mark(post)}
        if target is not None:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": target}}
        return content
    # an edit notifies nobody: clients notify only for mentions that are new in it
    return {
        **{key: value for key, value in content.items() if key != "app.postroom.mail"},
        "body": f"* {content['body']}",
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": post.event},
        "m.mentions": {},
        MARK: mark(post),
    }


async def send(
    desk: Desk, post: Post, room: RoomId, content: Content, *, retried: bool
) -> EventId | None:
    """Send an event as the sender of its post. A ghost that somebody removed from the room joins it
    again, once."""
    try:
        return await _send_once(desk, post, room, post.sender, content, retried=retried)
    except HomeserverError as error:
        if error.code == "M_DUPLICATE_ANNOTATION":
            return await desk.chat.find_sent(room, post.sender, content[MARK])
        if error.code != "M_FORBIDDEN" or post.sender == desk.bot:
            raise
    async with desk.store.reading() as tx:
        entry = await tx.posts.entry(post.place, post.sender)
    await enter(desk, room, post.sender, entry.content if entry else {"name": post.sender})
    return await desk.chat.send(room, post.sender, post.type, content, txn_id(desk, post))


async def _send_once(
    desk: Desk, post: Post, room: RoomId, sender: str, content: Content, *, retried: bool
) -> EventId | None:
    """Send an event unless an earlier attempt did."""
    if retried:
        found = await desk.chat.find_sent(room, sender, content[MARK])
        if found is not None:
            return found
    return await desk.chat.send(room, sender, post.type, content, txn_id(desk, post))


async def enter(desk: Desk, room: RoomId, ghost: str, who: Content) -> None:
    """Let a ghost join a room with the name and avatar of `who`, without the avatar where the
    homeserver refuses it."""
    face = await picture.upload_avatar(desk, who)
    try:
        await desk.chat.join_ghost(room, ghost, who["name"], face)
    except HomeserverError as error:
        if not face:
            raise
        await desk.chat.join_ghost(room, ghost, who["name"], "")
        async with desk.store.transaction("told") as tx:
            await refusal.tell_refused(tx, desk, refusal.PICTURES, error)


async def _name(desk: Desk, post: Post) -> str:
    async with desk.store.reading() as tx:
        entry = await tx.posts.entry(post.place, post.sender)
    return str(entry.content["name"]) if entry is not None else post.sender
