"""Who comes and goes: agents are the joined members of the queue room."""

from __future__ import annotations

from dataclasses import replace

from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import powers
from bridge.desk.triage.assign import release
from bridge.model import InboxId, Mxid, Place, PostKey, Role, Room, Shows, Wanted
from bridge.ports import Tx


async def changed(
    tx: Tx, desk: Desk, room: Room, who: Mxid, membership: str, mark: str, *, invited: bool
) -> None:
    """Note a membership; a new agent gains rights in every room, one who left loses them.

    `mark` tells this change from others of the same person; `invited`: somebody asked them in.
    """
    before = await tx.rooms.membership(room.id, who)
    await tx.rooms.set_member(room.id, who, membership)
    if room.inbox is None:
        return
    if room.role is not Role.QUEUE:
        if membership == "join" and before != "join" and not invited:
            await _uninvited(tx, desk, room, who, mark)
        return
    if membership == "join" and before != "join":
        await _empower(tx, desk, room.inbox)
        space = await tx.rooms.find(Role.SPACE, room.inbox)
        if space and await tx.rooms.membership(space.id, who) not in ("join", "invite"):
            key = PostKey.other(Shows.INVITE, space.place, who, mark)
            await tx.posts.put(Wanted.invitation(key, space.place, desk.bot, who))
    elif before == "join" and membership != "join":
        await _expel(tx, desk, room, who, mark)
        await release(tx, desk, desk.inbox(room.inbox), who, mark)
        await _empower(tx, desk, room.inbox)


async def _uninvited(tx: Tx, desk: Desk, room: Room, who: Mxid, mark: str) -> None:
    """Somebody walked in as an agent; whoever stopped being one meanwhile goes again."""
    if room.inbox is not None and not await tx.rooms.is_agent(room.inbox, who):
        await _kick(tx, desk, room, who, mark)


async def _empower(tx: Tx, desk: Desk, inbox: InboxId) -> None:
    """Agents, and nobody else, may invite in the inbox's conversation rooms."""
    for conversation in await tx.conversations.of_inbox(inbox):
        if conversation.vacated:  # nobody is in there; it is seen to when they come back
            continue
        await powers(tx, desk, conversation, exists_already=False)


async def _expel(tx: Tx, desk: Desk, queue: Room, who: Mxid, mark: str) -> None:
    """Leaving the queue room is leaving the space and every conversation: the homeserver would
    let them go on reading and writing in each room they joined before."""
    rooms = set(await tx.rooms.rooms_of(who))
    for each in await tx.rooms.of_inbox(queue.inbox or InboxId("")):
        if each.id in rooms and each.role is not Role.QUEUE:
            await _kick(tx, desk, each, who, mark)


async def _kick(tx: Tx, desk: Desk, room: Room, who: Mxid, mark: str) -> None:
    key = PostKey.other(Shows.EXPEL, room.id, who, mark)
    place = Place.at(room.id)
    removal = Wanted.removal(key, place, desk.bot, who, "no agent of this inbox any more")
    await tx.posts.put(replace(removal, lane=f"expel:{room.id}"))
