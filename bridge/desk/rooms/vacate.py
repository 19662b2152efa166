"""Rooms of conversations that were closed long ago: people leave, and come back with them."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.model import FINISHED, Conversation, Place, PostKey, Shows, Wanted
from bridge.ports import Tx

REASON = "this conversation was closed long ago; its card leads back"


async def vacate(tx: Tx, desk: Desk, about: Conversation) -> None:
    """Have everybody but the bot out of a room; its history stays, and its card links it."""
    if about.room is None:
        return
    place = Place.of(about.number)
    people = {*await tx.rooms.members(about.room), *await tx.posts.entered(place)} - {desk.bot}
    for mxid in sorted(people):
        key = PostKey.of_conversation(Shows.VACATE, about.number, mxid, about.closed_at)
        await tx.posts.put(Wanted.removal(key, place, desk.bot, mxid, REASON))
    await tx.conversations.update(about.number, vacated=True)


async def return_to(tx: Tx, desk: Desk, about: Conversation) -> bool:
    """Whoever has it is asked in again when it opens; ghosts come with what they say. Whether the
    room is in use again."""
    returns = about.vacated and about.state not in FINISHED
    if returns:
        about = await tx.conversations.update(about.number, vacated=False)
        if about.assignee is not None:  # behind the kicks that may still be under way
            key = PostKey.of_conversation(Shows.AGAIN, about.number, desk.now())
            place = Place.of(about.number)
            await tx.posts.put(Wanted.invitation(key, place, desk.bot, about.assignee))
    return returns
