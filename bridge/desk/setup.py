"""The rooms of the bridge: control, queue, space, and one for each conversation."""

from __future__ import annotations

import structlog

from bridge.chat import room
from bridge.desk import agents, picture
from bridge.desk.desk import Desk
from bridge.desk.invite import invite
from bridge.desk.members import changed
from bridge.desk.refresh import (
    powers,
    refresh,
    refresh_summary,
    standing,
    tell_control,
)
from bridge.model import (
    Address,
    Content,
    InboxId,
    Job,
    Kind,
    Mxid,
    Number,
    Permanent,
    Place,
    RoomId,
    Transient,
)
from bridge.ports import Tx

log = structlog.get_logger("setup")

INTRODUCED = "bot-introduced"
WELCOME = (
    "Postroom is running. Admin commands work in this room and nowhere else: !status shows how"
    " things are, !help what there is."
)


async def order_rooms(desk: Desk) -> None:
    """At every start: have the rooms of the configuration made or looked at."""
    async with desk.store.transaction("setup") as tx:
        await tx.jobs.add("setup", "setup", {"role": "control", "inbox": ""}, key="setup:control")
        for inbox in desk.settings.inboxes:
            for role in ("queue", "space"):
                await tx.jobs.add(
                    "setup", "setup", {"role": role, "inbox": inbox}, key=f"setup:{role}:{inbox}"
                )


async def setup(desk: Desk, job: Job) -> None:
    """Make or find one room, note who is in it, invite whom the configuration names."""
    role = job.payload["role"]
    inbox = InboxId(job.payload["inbox"]) or None
    async with desk.store.reading() as tx:
        place = await tx.rooms.find(role, inbox)
        queue = await tx.rooms.find("queue", inbox)
    await desk.chat.ensure_ghost(desk.bot)
    if role == "control":
        await _introduce(desk)
    is_new = place is None
    if place is None:
        made = await _make(desk, role, inbox, queue.room if queue else None)
        place = Place(made, role, inbox, None, desk.version)
    members = await desk.chat.members(place.room)
    encrypted = await desk.chat.state(place.room, "m.room.encryption") is not None
    async with desk.store.transaction("setup") as tx:
        await tx.rooms.save(place)
        known = await tx.rooms.members(place.room)
        for mxid in sorted({*members, *known}):
            # who came or went while we were away is treated as when we had seen it
            if not desk.is_own(mxid):
                membership = members.get(mxid, "leave")
                await changed(
                    tx, desk, place, mxid, membership, f"setup:{desk.now()}", invited=True
                )
        await _furnish(tx, desk, role, inbox, made=is_new)
        if encrypted:
            await tell_control(
                tx, desk, f"encrypted:{place.room}",
                f"The homeserver encrypts new rooms ({role} {inbox or ''}), and the bridge cannot"
                " read those. Set encryption_enabled_by_default_for_room_type: off in Synapse, then"
                " remove the room and start the bridge again.",
            )  # fmt: skip
        if is_new:
            await tx.jobs.hurry(("setup", "room", "post"))
        await tx.jobs.finish(job)


async def _make(desk: Desk, role: str, inbox: InboxId | None, queue: RoomId | None) -> RoomId:
    alias = desk.alias(role, inbox or "")
    if role == "control":
        body = room.control(desk.settings.admins, alias, desk.version, desk.bot)
    elif role == "queue":
        body = room.queue(desk.inbox(inbox), alias, desk.version, desk.bot)
    elif queue is None:
        raise Transient(f"the queue room of {inbox} is not made yet", retry_after=1.0)
    else:
        body = room.space(desk.inbox(inbox), alias, desk.version, desk.bot, queue, desk.server)
    return await make_room(desk, alias, body)


async def _introduce(desk: Desk) -> None:
    """The bot's own name and picture, once."""
    async with desk.store.reading() as tx:
        done = await tx.keep.value(INTRODUCED)
    if done is None:
        face = await picture.of(desk, picture.wanted(Address("postroom@", "Postroom")))
        try:
            await desk.chat.call_myself("Postroom", face)
        except Permanent as error:  # a homeserver may keep profiles to itself
            log.info("no name and picture of its own", error=str(error))
        async with desk.store.transaction("setup") as tx:
            await tx.keep.set_value(INTRODUCED, face)


async def make_room(desk: Desk, alias: str, body: Content) -> RoomId:
    try:
        return await desk.chat.make_room(f"#{alias}:{desk.server}", body)
    except Permanent as error:
        raise Permanent(f"room {body['name']!r} could not be made: {error}") from error


async def _furnish(tx: Tx, desk: Desk, role: str, inbox: InboxId | None, *, made: bool) -> None:
    """What each room shows, and who is invited: each named person once, ever. `made`: the room
    is new, with its name and topic."""
    if role == "control":
        await tell_control(tx, desk, "welcome", WELCOME)
        people = list(desk.settings.admins)
        await _put_out(tx, desk)
    else:
        settings = desk.inbox(inbox)
        people = sorted({*settings.agents, *settings.leads})
        if role == "queue":
            await refresh_summary(tx, desk, settings)
            await agents.powers(tx, desk, settings)
    where = f"{role}:{inbox}" if inbox else role
    place = await tx.rooms.find(role, inbox)
    if inbox is not None:
        for key, text in zip(("name", "topic"), room.title(role, desk.inbox(inbox)), strict=True):
            await tx.posts.put(
                f"{key}:{where}", where, desk.bot, Kind.STATE, {key: text}, type=f"m.room.{key}",
                already_there=made,
            )  # fmt: skip
        await tx.posts.put(
            f"avatar:{where}", where, desk.bot, Kind.STATE,
            picture.wanted(Address(desk.inbox(inbox).address, desk.inbox(inbox).name)),
            type="m.room.avatar", lane=f"avatar:{where}",
        )  # fmt: skip
    for mxid in people:
        there = await tx.rooms.membership(place.room, Mxid(mxid)) if place is not None else ""
        await tx.posts.put(
            f"invite:{where}:{mxid}", where, desk.bot, Kind.INVITE, {}, type="m.room.member",
            state_key=mxid, already_there=there in ("join", "invite"),
        )  # fmt: skip


async def _put_out(tx: Tx, desk: Desk) -> None:
    """Whoever is no admin any more leaves the control room, and an invitation there ends."""
    control = await tx.rooms.find("control")
    if control is None:
        return
    there = {*await tx.rooms.members(control.room), *await tx.rooms.invited(control.room)}
    for mxid in sorted(there - set(desk.settings.admins)):
        # a guest whom an admin asked in may stay
        asked = f"invite:control:{mxid}"
        if await tx.posts.by_key(asked) is not None:
            await tx.posts.rename(asked, f"{asked}:until:{desk.now()}")  # they may come back
            await tx.posts.put(
                f"expel:control:{mxid}:{desk.now()}", "control", desk.bot, Kind.KICK,
                {"reason": "no admin of Postroom any more"}, type="m.room.member", state_key=mxid,
                lane="expel:control",
            )  # fmt: skip


async def make_conversation_room(desk: Desk, job: Job) -> None:
    """Make the room of a new conversation; its mail waits behind this job in the same lane."""
    number = Number(job.payload["number"])
    async with desk.store.reading() as tx:
        about = await tx.conversations.get(number)
        queue = await tx.rooms.find("queue", about.inbox)
        space = await tx.rooms.find("space", about.inbox)
        agents = await tx.rooms.agents(about.inbox)
    inbox = desk.inbox(about.inbox)
    if queue is None or space is None:
        raise Transient(f"the rooms of {inbox.id} are not made yet", retry_after=1.0)
    ghost = desk.ghost(about.contact)
    await desk.chat.ensure_ghost(ghost)
    alias = desk.alias("conversation", number)
    face = await picture.of(desk, picture.wanted(about.contact))
    made = about.room or await make_room(
        desk, alias,
        room.conversation(about, inbox, alias, desk.version, desk.bot, ghost, agents, queue.room,
                          space.room, desk.server, face),
    )  # fmt: skip
    async with desk.store.transaction("room") as tx:
        conversation = await tx.conversations.update(number, room=made)
        await tx.rooms.save(Place(made, "conversation", inbox.id, number, desk.version))
        await standing(tx, desk, about, inbox, already_there=True, faceless=not face)
        await powers(tx, desk, conversation, already_there=True)
        await invite(tx, desk, conversation, "new")
        await refresh(tx, desk, conversation)
        await tx.jobs.finish(job)
