"""Updates card, summary, name and topic after a conversation changed."""

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
    Address,
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
    """Request every post that shows the conversation's state; unchanged posts are not sent."""
    inbox = desk.inbox(conversation.inbox)
    if conversation.room is not None:
        if not await _is_silent(tx, conversation):
            await _card(tx, desk, conversation)
        await refresh_room(tx, desk, conversation, inbox, exists_already=False)
        await set_in_space(
            tx, desk, conversation, inside=conversation.state not in FINISHED_CONVERSATIONS
        )
        if await return_to(tx, desk, conversation):
            await powers(tx, desk, conversation, exists_already=False)
    await refresh_queue_list(tx, desk, inbox)


async def _card(tx: Tx, desk: Desk, conversation: Conversation) -> None:
    queue, number = Place.queue(conversation.inbox), conversation.number
    card, hand, claim = (
        PostKey.of_conversation(shows, number) for shows in (Shows.CARD, Shows.HAND, Shows.CLAIM)
    )
    shown = await tx.posts.by_key(card)
    # what a machine wrote, and what we began, waits for nobody: it need not notify. An edit
    # notifies nobody, so a card that is shown keeps its type
    quiet = conversation.waiting_since is None
    if shown is not None and shown.sent:
        quiet = shown.content.get("msgtype") == "m.notice"
    claimed = await _claimed(tx, conversation)
    content = render.card(conversation, desk.server_name, claimed, quiet=quiet)
    await tx.posts.put(Wanted.message(card, queue, desk.bot, content))
    await tx.posts.put(Wanted.reaction(hand, queue, desk.bot, HAND, card))
    if conversation.claim or await tx.posts.by_key(claim) is not None:
        emoji = LINK if conversation.claim else ""
        await tx.posts.put(Wanted.reaction(claim, queue, desk.bot, emoji, card))


async def _claimed(tx: Tx, conversation: Conversation) -> Address | None:
    """The contact of the conversation that one claims to belong to, if it is somebody else."""
    claim, inbox = conversation.claim, conversation.inbox
    if claim is None or not await tx.conversations.exists(inbox, claim):
        return None
    contact = (await tx.conversations.get(claim)).contact
    return contact if contact.spec and contact.key != conversation.contact.key else None


async def _is_silent(tx: Tx, conversation: Conversation) -> bool:
    """Whether it was spam from the start and has no card: a new card would notify everybody."""
    card = PostKey.of_conversation(Shows.CARD, conversation.number)
    return conversation.state is State.SPAM and await tx.posts.by_key(card) is None


async def refresh_room(
    tx: Tx,
    desk: Desk,
    conversation: Conversation,
    inbox: Inbox,
    *,
    exists_already: bool,
    without_avatar: bool = False,
) -> None:
    """Update the name, topic, avatar and our own state event of a conversation's room.
    `exists_already`: the room was created with these values; `without_avatar`: with all of them
    but the avatar."""
    number = conversation.number
    for shows, type_, content in (
        (Shows.NAME, "m.room.name", {"name": room.name(conversation)}),
        (Shows.TOPIC, "m.room.topic", {"topic": room.topic(conversation, inbox)}),
        (Shows.ROOM_SUMMARY, room.ROOM_SUMMARY, room.room_summary(conversation)),
        (Shows.FACE, "m.room.avatar", picture.avatar_request(conversation.contact)),
    ):
        key, is_face = PostKey.of_conversation(shows, number), shows is Shows.FACE
        wanted = Wanted.state(key, Place.of(number), desk.bot, type_, content)
        await tx.posts.put(replace(
            wanted, exists_already=exists_already and not (without_avatar and is_face),
            # a lane of its own: an avatar that cannot be uploaded must not delay other posts
            lane=f"face:{number}" if is_face else "",
        ))  # fmt: skip


async def refresh_queue_list(tx: Tx, desk: Desk, inbox: Inbox) -> None:
    """Update the pinned list of open conversations in an inbox's queue room."""
    total, free, first = await tx.conversations.waiting(inbox.id, 20)
    content = listing.summary(total, free, first, inbox, desk.server_name, desk.now())
    place = Place.queue(inbox.id)
    summary = PostKey.other(Shows.SUMMARY, inbox.id)
    await tx.posts.put(Wanted.message(summary, place, desk.bot, content))
    key = PostKey.other(Shows.PINNED, inbox.id)
    pinned = Wanted.state(key, place, desk.bot, "m.room.pinned_events", {"pinned": ["$target"]})
    await tx.posts.put(replace(pinned, target=summary))


async def set_in_space(tx: Tx, desk: Desk, conversation: Conversation, *, inside: bool) -> None:
    """Add a conversation's room to the inbox's space, or remove it (`inside=False`). A child event
    without `via` removes it (Client-Server API v1.14 §11.34)."""
    content = {"via": [desk.server_name], "suggested": False} if inside else {}
    key = PostKey.of_conversation(Shows.CHILD, conversation.number)
    child = Wanted.state(key, Place.space(conversation.inbox), desk.bot, "m.space.child", content)
    await tx.posts.put(replace(child, state_key=conversation.room or ""))


async def powers(tx: Tx, desk: Desk, conversation: Conversation, *, exists_already: bool) -> None:
    """Set the power levels of a conversation's room: the inbox's agents may invite."""
    agents = await tx.rooms.agents(conversation.inbox)
    known = await tx.rooms.known(conversation.room) if conversation.room else None
    version = known.version if known else desk.room_version
    content = room.conversation_power(agents, version, desk.bot)
    key = PostKey.of_conversation(Shows.POWERS, conversation.number)
    place = Place.of(conversation.number)
    wanted = Wanted.state(key, place, desk.bot, "m.room.power_levels", content)
    await tx.posts.put(replace(wanted, exists_already=exists_already))


async def answer(tx: Tx, desk: Desk, place: Place, event: EventId, text: str) -> None:
    """Send the bridge's answer to an event, as a reply to it; there is one answer per event."""
    await answer_with(tx, desk, place, event, desk.quiet_message(text))


async def answer_with(tx: Tx, desk: Desk, place: Place, event: EventId, content: Content) -> None:
    """Send an answer with any content, for example formatted text."""
    key = PostKey.other(Shows.ANSWER, event)
    await tx.posts.put(Wanted.message(key, place, desk.bot, content, event))


async def tell_control(tx: Tx, desk: Desk, key: PostKey, text: str) -> None:
    """Send a message to the control room; a second call with the same key edits it. It is an
    m.text, so that clients notify."""
    await tx.posts.put(Wanted.message(key, CONTROL, desk.bot, desk.message(text)))
