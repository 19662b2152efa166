"""Makes the direct chat of an agent or admin with the bot."""

from __future__ import annotations

from bridge.chat.room import link
from bridge.desk.desk import Desk
from bridge.desk.rooms.lost import is_lost
from bridge.desk.team.setup import make_room
from bridge.model import Job, Place, PostKey, Role, Room, RoomId, Shows, Wanted
from bridge.model.task import MakeDirect
from bridge.ports import Tx

WELCOME = (
    "Here !list, !search, !stats, !away and !back work for every inbox that you answer, and fill"
    " nobody's list of unread messages. !help says more."
)


async def make_direct_room(desk: Desk, job: Job[MakeDirect]) -> None:
    """Make the chat, invite the person, and say where it is in the room in which they asked."""
    who = job.task.who
    async with desk.store.reading() as tx:
        known = await tx.rooms.direct_of(who)
        control = await tx.rooms.find(Role.CONTROL)
    is_gone = known is not None and await is_lost(desk, known.id)
    if known is None or is_gone:
        alias = desk.alias(Role.DIRECT, who)
        federate = not who.endswith(f":{desk.server_name}")
        room = await make_room(desk, alias, desk.new_rooms.direct(alias, federate=federate))
    else:
        room = known.id
    there = await desk.chat.membership(room, who)
    async with desk.store.transaction("setup") as tx:
        if known is not None and is_gone:
            await tx.rooms.forget(known.id)
        await tx.rooms.save(Room(room, Role.DIRECT, None, None, desk.room_version))
        await tx.rooms.set_member(room, who, there or "invite")
        await _welcome(tx, desk, job, room, invites=_invites(job.task, there))
        text = (
            "I work in rooms of my own, and read no encrypted ones. Your direct chat with me is"
            f" here: {link(room, desk.server_name)}"
        )
        if who in desk.settings.admins and control is not None:
            text += f"\nAdmin commands work here: {link(control.id, desk.server_name)}"
        key = PostKey.other(Shows.POINTER, job.task.asked_in, who)
        asked_in = Place.at(job.task.asked_in)
        await tx.posts.put(Wanted.message(key, asked_in, desk.bot, desk.quiet_message(text)))
        await tx.jobs.finish(job)


def _invites(task: MakeDirect, there: str) -> bool:
    """Whether to invite: who left the chat is invited again only when they ask by inviting us."""
    return there not in ("join", "invite") and (task.invited or not there)


async def _welcome(
    tx: Tx, desk: Desk, job: Job[MakeDirect], room: RoomId, *, invites: bool
) -> None:
    who, place = job.task.who, Place.at(room)
    welcome = desk.quiet_message(WELCOME)
    await tx.posts.put(Wanted.message(PostKey.other(Shows.WELCOME, room), place, desk.bot, welcome))
    if invites:
        key = PostKey.other(Shows.INVITE, room, who, job.task.event)
        await tx.posts.put(Wanted.invitation(key, place, desk.bot, who, direct=True))
