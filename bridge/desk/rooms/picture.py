"""Uploads avatars of initials, each only once, and lets ghosts join rooms with name and avatar."""

from __future__ import annotations

import asyncio

from bridge.chat import initials
from bridge.chat.room import ghost_name
from bridge.desk.desk import Desk
from bridge.model import (
    Address,
    Content,
    Kind,
    Number,
    Permanent,
    Place,
    PostKey,
    Shows,
    Transient,
    Wanted,
)
from bridge.model.post import MEMBER
from bridge.ports import Tx


def avatar_request(address: Address) -> Content:
    """The part of a post's content that describes an avatar that is still to be uploaded."""
    return {"initials": initials.letters(address), "colour": initials.colour(address.key)}


async def upload_avatar(desk: Desk, content: Content, *, waits: bool = False) -> str:
    """The mxc address of the avatar that `content` describes; empty where the homeserver refuses
    it. While the media repository is down, raises Transient if `waits`, otherwise returns empty:
    an avatar must not delay a mail."""
    text, colour = str(content.get("initials") or ""), str(content.get("colour") or "")
    if not text:
        return ""
    key = f"picture:{text}:{colour}"
    async with desk.store.reading() as tx:
        known = await tx.settings.value(key)
    if known is not None:
        return known
    data = await asyncio.to_thread(initials.draw, text, colour)
    try:
        mxc = await desk.chat.upload_media(f"{text}.png", "image/png", data)
    except Permanent:
        mxc = ""
    except Transient:
        if waits:
            raise
        return ""
    async with desk.store.transaction("media-made") as tx:
        known = await tx.settings.value(key)  # another job may have uploaded it meanwhile
        if known is None:
            await tx.settings.set_value(key, mxc)
    return mxc if known is None else known


async def join_contact_ghost(tx: Tx, desk: Desk, number: Number, address: Address) -> str:
    """Let the ghost of an address join a conversation's room. Returns the ghost's Matrix id."""
    ghost = desk.ghost(address)
    await join_ghost(tx, number, ghost, {"name": ghost_name(address), **avatar_request(address)})
    return ghost


async def join_ghost(tx: Tx, number: Number, ghost: str, who: Content) -> None:
    """Let a ghost join a conversation's room, with the name and avatar that `who` describes."""
    key = PostKey.of_conversation(Shows.ENTER, number, ghost)
    await tx.posts.put(Wanted(key, Place.of(number), ghost, Kind.ENTER, who, MEMBER, ghost))
