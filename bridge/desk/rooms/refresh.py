"""Bring card, summary, name and topic in line with a conversation."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import listing, render, room
from bridge.chat.command import HAND, LINK
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.rooms import picture
from bridge.desk.rooms.vacate import return_to
from bridge.model import (
    CONTROL,
    FINISHED_CONVERSATIONS,
    Content,
    Conversation,
    EventId,
    Place,
    PostKey,
    Shows,
    State,
    Wanted,
)
from bridge.ports import Tx


async def refresh(tx: Tx, desk: Desk, conversation: Conversation) -> None:
    """Want in Matrix what the conversation now is; what did not change costs nothing."""
    inbox = desk.inbox(conversation.inbox)
    if conversation.room is not None:
        if not await _is_silent(tx, conversation):
            await _card(tx, desk, conversation)
        await room_summary(tx, desk, conversation, inbox, exists_already=False)
        await in_space(
            tx, desk, conversation, inside=conversation.state not in FINISHED_CONVERSATIONS
        )
        if await return_to(tx, desk, conversation):
            await powers(tx, desk, conversation, exists_already=False)
    await refresh_summary(tx, desk, inbox)


async def _card(tx: Tx, desk: Desk, conversation: Conversation) -> None:
    queue, number = Place.queue(conversation.inbox), conversation.number
    card, hand, claim = (
        PostKey.of_conversation(shows, number) for shows in (Shows.CARD, Shows.HAND, Shows.CLAIM)
    )
    content = render.card(conversation, desk.server)
    await tx.posts.put(Wanted.message(card, queue, desk.bot, content))
    await tx.posts.put(Wanted.reaction(hand, queue, desk.bot, HAND, card))
    if conversation.claim or await tx.posts.by_key(claim) is not None:
        emoji = LINK if conversation.claim else ""
        await tx.posts.put(Wanted.reaction(claim, queue, desk.bot, emoji, card))


async def _is_silent(tx: Tx, conversation: Conversation) -> bool:
    """Whether it came as spam: a card would tell everybody."""
    card = PostKey.of_conversation(Shows.CARD, conversation.number)
    return conversation.state is State.SPAM and await tx.posts.by_key(card) is None


async def room_summary(
    tx: Tx,
    desk: Desk,
    conversation: Conversation,
    inbox: Inbox,
    *,
    exists_already: bool,
    faceless: bool = False,
) -> None:
    """Name, topic, face and namespaced state of a room; `exists_already`: it was made with them,
    or with all but its face."""
    number = conversation.number
    for shows, type_, content in (
        (Shows.NAME, "m.room.name", {"name": room.name(conversation)}),
        (Shows.TOPIC, "m.room.topic", {"topic": room.topic(conversation, inbox)}),
        (Shows.ROOM_SUMMARY, room.ROOM_SUMMARY, room.room_summary(conversation)),
        (Shows.FACE, "m.room.avatar", picture.wanted(conversation.contact)),
    ):
        key, is_face = PostKey.of_conversation(shows, number), shows is Shows.FACE
        wanted = Wanted.state(key, Place.of(number), desk.bot, type_, content)
        await tx.posts.put(replace(
            wanted, exists_already=exists_already and not (faceless and is_face),
            # a picture that cannot be uploaded holds up nothing
            lane=f"face:{number}" if is_face else "",
        ))  # fmt: skip


async def refresh_summary(tx: Tx, desk: Desk, inbox: Inbox) -> None:
    """The pinned list of an inbox."""
    total, free, first = await tx.conversations.waiting(inbox.id, 20)
    content = listing.summary(total, free, first, inbox, desk.server, desk.now())
    place = Place.queue(inbox.id)
    summary = PostKey.other(Shows.SUMMARY, inbox.id)
    await tx.posts.put(Wanted.message(summary, place, desk.bot, content))
    key = PostKey.other(Shows.PINNED, inbox.id)
    pinned = Wanted.state(key, place, desk.bot, "m.room.pinned_events", {"pinned": ["$target"]})
    await tx.posts.put(replace(pinned, target=summary))


async def in_space(tx: Tx, desk: Desk, conversation: Conversation, *, inside: bool) -> None:
    """Whether the space of an inbox lists a conversation's room (Client-Server API v1.14 §11.34:
    a child without `via` is none)."""
    content = {"via": [desk.server], "suggested": False} if inside else {}
    key = PostKey.of_conversation(Shows.CHILD, conversation.number)
    child = Wanted.state(key, Place.space(conversation.inbox), desk.bot, "m.space.child", content)
    await tx.posts.put(replace(child, state_key=conversation.room or ""))


async def powers(tx: Tx, desk: Desk, conversation: Conversation, *, exists_already: bool) -> None:
    """Power levels of a conversation's room: the inbox's agents may invite."""
    agents = await tx.rooms.agents(conversation.inbox)
    known = await tx.rooms.known(conversation.room) if conversation.room else None
    version = known.version if known else desk.version
    content = room.conversation_power(agents, version, desk.bot)
    key = PostKey.of_conversation(Shows.POWERS, conversation.number)
    place = Place.of(conversation.number)
    wanted = Wanted.state(key, place, desk.bot, "m.room.power_levels", content)
    await tx.posts.put(replace(wanted, exists_already=exists_already))


async def answer(tx: Tx, desk: Desk, place: Place, event: EventId, text: str) -> None:
    """The bridge's one answer to an event, as a reply to it."""
    await answer_with(tx, desk, place, event, desk.notice(text))


async def answer_with(tx: Tx, desk: Desk, place: Place, event: EventId, content: Content) -> None:
    """An answer that is more than a line."""
    key = PostKey.other(Shows.ANSWER, event)
    await tx.posts.put(Wanted.message(key, place, desk.bot, content, event))


async def tell_control(tx: Tx, desk: Desk, key: PostKey, text: str) -> None:
    """A notice in the control room; the same key again edits it. m.text: admins are notified."""
    await tx.posts.put(Wanted.message(key, CONTROL, desk.bot, desk.message(text)))
