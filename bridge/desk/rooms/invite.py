"""Invites the assignee of a conversation into its room."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.model import Conversation, Place, PostKey, Shows, Wanted
from bridge.ports import Tx


async def invite(tx: Tx, desk: Desk, conversation: Conversation, mark: str) -> None:
    """Invite the assignee, unless they are in the room or invited; `mark` is the dedup key."""
    who = conversation.assignee
    if conversation.room is None or who is None:
        return
    if await tx.rooms.membership(conversation.room, who) in ("join", "invite"):
        return
    key = PostKey.of_conversation(Shows.INVITE, conversation.number, who, mark)
    await tx.posts.put(Wanted.invitation(key, Place.of(conversation.number), desk.bot, who))
