"""Handles membership changes: the joined members of a queue room are the agents of its inbox."""

from __future__ import annotations

from dataclasses import replace

from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import powers
from bridge.desk.triage.assign import release
from bridge.model import InboxId, Mxid, Place, PostKey, Role, Room, Shows, Wanted
from bridge.ports import Tx


async def membership_changed(
    tx: Tx, desk: Desk, room: Room, who: Mxid, membership: str, mark: str, *, invited: bool
) -> None:
    """Store a membership; a new agent gains rights in every room, one who left loses them.

    `mark` is the dedup key of this change; `invited`: somebody invited them to the room.
    """
    before = await tx.rooms.membership(room.id, who)
    await tx.rooms.set_member(room.id, who, membership)
    if room.inbox is None:
        return
    if room.role is not Role.QUEUE:
        if membership == "join" and before != "join" and not invited:
            await _remove_uninvited(tx, desk, room, who, mark)
        return
    if membership == "join" and before != "join":
        await _set_conversation_powers(tx, desk, room.inbox)
        space = await tx.rooms.find(Role.SPACE, room.inbox)
        if space and await tx.rooms.membership(space.id, who) not in ("join", "invite"):
            key = PostKey.other(Shows.INVITE, space.place, who, mark)
            await tx.posts.put(Wanted.invitation(key, space.place, desk.bot, who))
    elif before == "join" and membership != "join":
        await _expel(tx, desk, room, who, mark)
        await release(tx, desk, desk.inbox(room.inbox), who, mark)
        await _set_conversation_powers(tx, desk, room.inbox)


async def _remove_uninvited(tx: Tx, desk: Desk, room: Room, who: Mxid, mark: str) -> None:
    """Remove somebody who joined without an invitation, as agents may, but is not an agent now."""
    if room.inbox is not None and not await tx.rooms.is_agent(room.inbox, who):
        await _kick(tx, desk, room, who, mark)


async def _set_conversation_powers(tx: Tx, desk: Desk, inbox: InboxId) -> None:
    """Set the power levels of all conversation rooms of an inbox: only its agents may invite."""
    for conversation in await tx.conversations.of_inbox(inbox):
        if conversation.vacated:  # the room is empty; it is updated when it reopens
            continue
        await powers(tx, desk, conversation, exists_already=False)


async def _expel(tx: Tx, desk: Desk, queue: Room, who: Mxid, mark: str) -> None:
    """Remove somebody who left the queue room from the space and every conversation: otherwise they
    could go on reading and writing in each room they had joined."""
    rooms = set(await tx.rooms.rooms_of(who))
    for each in await tx.rooms.of_inbox(queue.inbox or InboxId("")):
        if each.id in rooms and each.role is not Role.QUEUE:
            await _kick(tx, desk, each, who, mark)


async def _kick(tx: Tx, desk: Desk, room: Room, who: Mxid, mark: str) -> None:
    key = PostKey.other(Shows.EXPEL, room.id, who, mark)
    place = Place.at(room.id)
    removal = Wanted.removal(key, place, desk.bot, who, "no agent of this inbox any more")
    await tx.posts.put(replace(removal, lane=f"expel:{room.id}"))
