"""Empties rooms of conversations that were closed long ago, and refills them on reopening."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.model import FINISHED_CONVERSATIONS, Conversation, Place, PostKey, Shows, Wanted
from bridge.ports import Tx

REASON = "this conversation was closed long ago; its card leads back"


async def vacate(tx: Tx, desk: Desk, conversation: Conversation) -> None:
    """Remove everybody but the bot from a room; its history stays, and its card links to it."""
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
    """Invite the assignee again when an emptied room's conversation reopens; ghosts join again with
    their next message. Returns whether the room came back into use."""
    returns = conversation.vacated and conversation.state not in FINISHED_CONVERSATIONS
    if returns:
        conversation = await tx.conversations.update(conversation.number, vacated=False)
        if conversation.assignee is not None:  # queued behind kicks that may not be sent yet
            key = PostKey.of_conversation(Shows.AGAIN, conversation.number, desk.now())
            place = Place.of(conversation.number)
            await tx.posts.put(Wanted.invitation(key, place, desk.bot, conversation.assignee))
    return returns
