"""Pictures in the media repository, one address for each; and people brought in with theirs."""

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


def wanted(address: Address) -> Content:
    """What a post says of a picture that is still to be uploaded."""
    return {"initials": initials.letters(address), "colour": initials.colour(address.key)}


async def of(desk: Desk, content: Content, *, waits: bool = False) -> str:
    """The mxc address of a wanted picture; empty where the homeserver refuses it. Where the media
    repository is away, raises Transient if it `waits`, and else goes without: a face must hold up
    no mail."""
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
        mxc = await desk.chat.reserve_media()
        await desk.chat.fill_media(mxc, f"{text}.png", "image/png", data)
    except Permanent:
        mxc = ""
    except Transient:
        if waits:
            raise
        return ""
    async with desk.store.transaction("media-made") as tx:
        known = await tx.settings.value(key)  # by somebody who wanted it at the same time
        if known is None:
            await tx.settings.set_value(key, mxc)
    return mxc if known is None else known


async def bring_in(tx: Tx, desk: Desk, number: Number, address: Address) -> str:
    """Have somebody's ghost in a conversation's room; returns its id."""
    ghost = desk.ghost(address)
    await enter(tx, number, ghost, {"name": ghost_name(address), **wanted(address)})
    return ghost


async def enter(tx: Tx, number: Number, ghost: str, who: Content) -> None:
    """Have a ghost in a conversation's room, called and pictured as `who` says."""
    key = PostKey.of_conversation(Shows.ENTER, number, ghost)
    await tx.posts.put(Wanted(key, Place.of(number), ghost, Kind.ENTER, who, MEMBER, ghost))
