"""Bring card, summary, name and topic in line with a conversation."""

from __future__ import annotations

import re

from bridge.chat import listing, render, room
from bridge.chat.command import HAND, LINK
from bridge.desk import picture
from bridge.desk.desk import FINISHED, Desk
from bridge.desk.vacate import return_to
from bridge.inbox import Inbox
from bridge.model import Content, Conversation, Kind, State
from bridge.ports import Tx


async def refresh(tx: Tx, desk: Desk, conversation: Conversation) -> None:
    """Want in Matrix what the conversation now is; what did not change costs nothing."""
    inbox = desk.inbox(conversation.inbox)
    if conversation.room is not None:
        if not await _is_silent(tx, conversation):
            await _card(tx, desk, conversation)
        await standing(tx, desk, conversation, inbox, already_there=False)
        await in_space(tx, desk, conversation, inside=conversation.state not in FINISHED)
        if await return_to(tx, desk, conversation):
            await powers(tx, desk, conversation, already_there=False)
    await refresh_summary(tx, desk, inbox)


async def _card(tx: Tx, desk: Desk, conversation: Conversation) -> None:
    queue, card = f"queue:{conversation.inbox}", f"card:{conversation.number}"
    await tx.posts.put(card, queue, desk.bot, Kind.MESSAGE, render.card(conversation, desk.server))
    await tx.posts.put(
        f"hand:{conversation.number}", queue, desk.bot, Kind.REACTION, {"emoji": HAND},
        type="m.reaction", target=card,
    )  # fmt: skip
    key = f"claim:{conversation.number}"
    if conversation.claim or await tx.posts.by_key(key) is not None:
        emoji = LINK if conversation.claim else ""
        await tx.posts.put(
            key, queue, desk.bot, Kind.REACTION, {"emoji": emoji}, type="m.reaction", target=card
        )


async def _is_silent(tx: Tx, conversation: Conversation) -> bool:
    """Whether it came as spam: a card would tell everybody."""
    is_spam = conversation.state is State.SPAM
    return is_spam and await tx.posts.by_key(f"card:{conversation.number}") is None


async def standing(
    tx: Tx, desk: Desk, conversation: Conversation, inbox: Inbox, *, already_there: bool,
    faceless: bool = False,
) -> None:  # fmt: skip
    """Name, topic, face and namespaced state of a room; `already_there`: it was made with them,
    or with all but its face."""
    place = f"conversation:{conversation.number}"
    for type_, key, text in (
        ("m.room.name", "name", room.name(conversation)),
        ("m.room.topic", "topic", room.topic(conversation, inbox)),
    ):
        await tx.posts.put(
            f"{key}:{conversation.number}", place, desk.bot, Kind.STATE, {key: text},
            type=type_, already_there=already_there,
        )  # fmt: skip
    for key, type_, content in (
        ("standing", room.STANDING, room.standing(conversation)),
        ("face", "m.room.avatar", picture.wanted(conversation.contact)),
    ):
        await tx.posts.put(
            f"{key}:{conversation.number}", place, desk.bot, Kind.STATE, content, type=type_,
            already_there=already_there and not (faceless and key == "face"),
            # a picture that cannot be uploaded holds up nothing
            lane=f"face:{conversation.number}" if key == "face" else "",
        )  # fmt: skip


async def refresh_summary(tx: Tx, desk: Desk, inbox: Inbox) -> None:
    """The pinned list of an inbox."""
    total, free, first = await tx.conversations.waiting(inbox.id, 20)
    content = listing.summary(total, free, first, inbox, desk.server, desk.now())
    place, key = f"queue:{inbox.id}", f"summary:{inbox.id}"
    await tx.posts.put(key, place, desk.bot, Kind.MESSAGE, content)
    await tx.posts.put(
        f"pinned:{inbox.id}", place, desk.bot, Kind.STATE, {"pinned": ["$target"]},
        type="m.room.pinned_events", target=key,
    )  # fmt: skip


async def in_space(tx: Tx, desk: Desk, about: Conversation, *, inside: bool) -> None:
    """Whether the space of an inbox lists a conversation's room (Client-Server API v1.14 §11.34:
    a child without `via` is none)."""
    content = {"via": [desk.server], "suggested": False} if inside else {}
    await tx.posts.put(
        f"child:{about.number}", f"space:{about.inbox}", desk.bot, Kind.STATE, content,
        type="m.space.child", state_key=about.room or "",
    )  # fmt: skip


async def powers(tx: Tx, desk: Desk, conversation: Conversation, *, already_there: bool) -> None:
    """Power levels of a conversation's room: the inbox's agents may invite."""
    agents = await tx.rooms.agents(conversation.inbox)
    place = await tx.rooms.place(conversation.room) if conversation.room else None
    version = place.version if place else desk.version
    await tx.posts.put(
        f"powers:{conversation.number}", f"conversation:{conversation.number}", desk.bot,
        Kind.STATE, room.conversation_power(agents, version, desk.bot),
        type="m.room.power_levels", already_there=already_there,
    )  # fmt: skip


async def answer(tx: Tx, desk: Desk, place: str, event: str, text: str) -> None:
    """The bridge's one answer to an event, as a reply to it. Texts name commands with `!`; people
    read them with the prefix of their installation."""
    text = re.sub(
        r"(?<![^\s(])!(?=[a-z])", desk.settings.command_prefix.replace("\\", "\\\\"), text
    )
    await answer_with(tx, desk, place, event, render.notice(text))


async def answer_with(tx: Tx, desk: Desk, place: str, event: str, content: Content) -> None:
    """An answer that is more than a line."""
    await tx.posts.put(f"answer:{event}", place, desk.bot, Kind.MESSAGE, content, target=event)


async def tell_control(tx: Tx, desk: Desk, key: str, text: str) -> None:
    """A notice in the control room; the same key again edits it. m.text: admins are notified."""
    await tx.posts.put(key, "control", desk.bot, Kind.MESSAGE, render.text_message(text))
