"""Ask whoever has a conversation into its room."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.model import Conversation, Place, PostKey, Shows, Wanted
from bridge.ports import Tx


async def invite(tx: Tx, desk: Desk, about: Conversation, mark: str) -> None:
    """Ask the assignee into the room, where they are not in it."""
    who = about.assignee
    if about.room is None or who is None:
        return
    if await tx.rooms.membership(about.room, who) in ("join", "invite"):
        return
    key = PostKey.of_conversation(Shows.INVITE, about.number, who, mark)
    await tx.posts.put(Wanted.invitation(key, Place.of(about.number), desk.bot, who))
