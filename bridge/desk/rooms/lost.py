"""Makes a room anew that the homeserver does not have any more, with what it showed."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bridge.desk.desk import Desk
from bridge.desk.rooms.sent import show_sent
from bridge.model import (
    DELIVERIES_UNDER_WAY,
    FINISHED_CONVERSATIONS,
    Conversation,
    HomeserverError,
    Kind,
    Number,
    Place,
    Post,
    PostKey,
    Role,
    Room,
    RoomId,
    Shows,
    Wanted,
)
from bridge.model.admin_task import Purge
from bridge.model.task import FillRoom, RemakeRoom, SetUp
from bridge.ports import Tx

log = structlog.get_logger("lost")

ANEW = (
    "The homeserver lost the room of this conversation, so this is a new one. What was said in it"
    " internally is gone; all its mails are here."
)


async def is_lost(desk: Desk, room: RoomId) -> bool:
    """Whether the bot is no member of a room any more and cannot come back.

    A refusal alone proves nothing: a spam checker gives some. Raises Transient.
    """
    if room in await desk.chat.joined_rooms():
        return False
    try:
        await desk.chat.join(room)
    except HomeserverError:
        return True
    return False


async def make_anew(tx: Tx, desk: Desk, lost: Room) -> bool:
    """Forget a lost room with the jobs of its posts, and add those that make another one and show
    what it showed. False for a conversation that is being erased: the bot leaves its room on
    purpose."""
    if await tx.rooms.known(lost.id) is None:  # it was made anew meanwhile
        return False
    if lost.conversation is not None and await tx.jobs.exists(Purge(lost.conversation, ids=True)):
        return False
    log.warning("a room is lost and made anew", room=lost.id, role=lost.role)
    members = [*await tx.rooms.members(lost.id), *await tx.rooms.invited(lost.id)]
    leaving = await tx.posts.unsent_removals(lost.place, Place.at(lost.id))
    people = [mxid for mxid in members if not desk.is_own(mxid) and mxid not in leaving]
    await tx.rooms.forget(lost.id)
    if lost.role is Role.DIRECT:  # it is made when its person asks for it
        await tx.posts.forget_events(lost.place)
    elif lost.conversation is None:
        await tx.jobs.drop(FillRoom(lost.role, lost.inbox, made=False))
        await tx.jobs.add(SetUp(lost.role, lost.inbox), "setup")
        for post in await tx.posts.forget_events(lost.place):
            if await _is_current(tx, post):
                await tx.posts.order(post.id, post.lane)
        for mxid in people:  # deferred: FillRoom sends what was not sent
            key = PostKey.other(Shows.INVITE, lost.place, mxid)
            again = Wanted.invitation(key, lost.place, desk.bot, mxid)
            await tx.posts.put(replace(again, is_deferred=True))
    else:
        await _make_conversation_anew(tx, desk, lost, lost.conversation)
    return True


async def _is_current(tx: Tx, post: Post) -> bool:
    """Whether a new queue room or space shows this post: no answer that was read already, no closed
    conversation's card."""
    if post.key.shows in (Shows.SUMMARY, Shows.PINNED, Shows.AVATAR, Shows.POWERS) or _waits(post):
        return True
    if post.key.conversation is None:
        return False
    conversation = await tx.conversations.get(post.key.conversation)
    return conversation.room is not None and conversation.state not in FINISHED_CONVERSATIONS


async def _make_conversation_anew(tx: Tx, desk: Desk, lost: Room, number: Number) -> None:
    conversation = await tx.conversations.update(number, room=None, vacated=False)
    await _withdraw_from_space(tx, desk, conversation, lost.id)
    again = await tx.posts.forget_events(lost.place)
    lane = f"{lost.place}:out"
    await tx.jobs.add(RemakeRoom(conversation.number), lane)
    said = PostKey.of_conversation(Shows.ANEW, conversation.number, lost.id)
    await tx.posts.put(Wanted.message(said, lost.place, desk.bot, desk.quiet_message(ANEW)))
    for post in again:
        if post.kind is Kind.ENTER:
            await tx.posts.order(post.id, lane)
    for letter in await tx.mails.of_conversation(conversation.number):
        if letter.outbound:
            await show_sent(tx, desk, letter, conversation.number)
        for post in again:
            if post.key.mail == letter.id and post.key.shows is not Shows.WENT:
                await tx.posts.order(post.id, lane)
    for post in again:
        if post.key.mail is None and post.kind is Kind.MESSAGE and await _is_open(tx, post):
            await tx.posts.order(post.id, lane)


def _waits(post: Post) -> bool:
    """Whether a message was not shown yet, or not as it is now."""
    return post.kind is Kind.MESSAGE and post.sent < post.version


async def _is_open(tx: Tx, post: Post) -> bool:
    """Whether a message that shows no mail is still news: it waits itself, or its delivery waits
    for its time or for a yes."""
    delivery = post.key.delivery
    if delivery is None:
        return _waits(post)
    return (await tx.deliveries.get(delivery)).state in DELIVERIES_UNDER_WAY


async def _withdraw_from_space(
    tx: Tx, desk: Desk, conversation: Conversation, room: RoomId
) -> None:
    """Take the lost room off the space's list; the new one gets a line of its own."""
    key = PostKey.of_conversation(Shows.CHILD, conversation.number)
    if await tx.posts.by_key(key) is None:
        return
    old = key.renamed("lost", room)
    await tx.posts.rename(key, old)
    place = Place.space(conversation.inbox)
    await tx.posts.put(Wanted.state(old, place, desk.bot, "m.space.child", {}))
