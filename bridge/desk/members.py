"""Who comes and goes: agents are the joined members of the queue room."""

from __future__ import annotations

from bridge.desk.assign import release
from bridge.desk.desk import Desk
from bridge.desk.refresh import powers
from bridge.model import InboxId, Kind, Mxid, Place
from bridge.ports import Tx


async def changed(
    tx: Tx, desk: Desk, place: Place, about: Mxid, membership: str, mark: str, *, invited: bool
) -> None:
    """Note a membership; a new agent gains rights in every room, one who left loses them.

    `mark` tells this change from others of the same person; `invited`: somebody asked them in.
    """
    before = await tx.rooms.membership(place.room, about)
    await tx.rooms.set_member(place.room, about, membership)
    if place.inbox is None:
        return
    if place.role != "queue":
        if membership == "join" and before != "join" and not invited:
            await _uninvited(tx, desk, place, about, mark)
        return
    if membership == "join" and before != "join":
        await _empower(tx, desk, place.inbox)
        space = await tx.rooms.find("space", place.inbox)
        if space and await tx.rooms.membership(space.room, about) not in ("join", "invite"):
            await tx.posts.put(
                f"invite:space:{place.inbox}:{about}:{mark}", f"space:{place.inbox}",
                desk.bot, Kind.INVITE, {}, type="m.room.member", state_key=about,
            )  # fmt: skip
    elif before == "join" and membership != "join":
        await _expel(tx, desk, place, about, mark)
        await release(tx, desk, desk.inbox(place.inbox), about, mark)
        await _empower(tx, desk, place.inbox)


async def _uninvited(tx: Tx, desk: Desk, place: Place, who: Mxid, mark: str) -> None:
    """Somebody walked in as an agent; whoever stopped being one meanwhile goes again."""
    if place.inbox is not None and not await tx.rooms.is_agent(place.inbox, who):
        await _kick(tx, desk, place, who, mark)


async def _empower(tx: Tx, desk: Desk, inbox: InboxId) -> None:
    """Agents, and nobody else, may invite in the inbox's conversation rooms."""
    for conversation in await tx.conversations.of_inbox(inbox):
        if conversation.vacated:  # nobody is in there; it is seen to when they come back
            continue
        await powers(tx, desk, conversation, already_there=False)


async def _expel(tx: Tx, desk: Desk, queue: Place, who: Mxid, mark: str) -> None:
    """Leaving the queue room is leaving the space and every conversation: the homeserver would
    let them go on reading and writing in each room they joined before."""
    rooms = set(await tx.rooms.rooms_of(who))
    for place in await tx.rooms.of_inbox(queue.inbox or InboxId("")):
        if place.room in rooms and place.role != "queue":
            await _kick(tx, desk, place, who, mark)


async def _kick(tx: Tx, desk: Desk, place: Place, who: Mxid, mark: str) -> None:
    await tx.posts.put(
        f"expel:{place.room}:{who}:{mark}", place.room, desk.bot, Kind.KICK,
        {"reason": "no agent of this inbox any more"}, type="m.room.member", state_key=who,
        lane=f"expel:{place.room}",
    )  # fmt: skip
