"""Rooms of conversations that were closed long ago: people leave, and come back with them."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.model import FINISHED_CONVERSATIONS, Conversation, Place, PostKey, Shows, Wanted
from bridge.ports import Tx

REASON = "this conversation was closed long ago; its card leads back"


async def vacate(tx: Tx, desk: Desk, conversation: Conversation) -> None:
    """Have everybody but the bot out of a room; its history stays, and its card links it."""
    if conversation.room is None:
        return
    place = Place.of(conversation.number)
    people = {*await tx.rooms.members(conversation.room), *await tx.posts.entered(place)} - {
        desk.bot
    }
    for mxid in sorted(people):
        key = PostKey.of_conversation(
            Shows.VACATE, conversation.number, mxid, conversation.closed_at
        )
        await tx.posts.put(Wanted.removal(key, place, desk.bot, mxid, REASON))
    await tx.conversations.update(conversation.number, vacated=True)


async def return_to(tx: Tx, desk: Desk, conversation: Conversation) -> bool:
    """Whoever has it is asked in again when it opens; ghosts come with what they say. Whether the
    room is in use again."""
    returns = conversation.vacated and conversation.state not in FINISHED_CONVERSATIONS
    if returns:
        conversation = await tx.conversations.update(conversation.number, vacated=False)
        if conversation.assignee is not None:  # behind the kicks that may still be under way
            key = PostKey.of_conversation(Shows.AGAIN, conversation.number, desk.now())
            place = Place.of(conversation.number)
            await tx.posts.put(Wanted.invitation(key, place, desk.bot, conversation.assignee))
    return returns
