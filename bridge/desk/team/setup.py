"""Creates the rooms of the bridge: control, queue, space, and one for each conversation."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import structlog

from bridge.chat import room
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.rooms import picture
from bridge.desk.rooms.lost import is_lost, make_anew
from bridge.desk.rooms.refresh import (
    refresh_queue_list,
    tell_control,
)
from bridge.desk.team import agents
from bridge.desk.team.members import membership_changed
from bridge.model import (
    CONTROL,
    Address,
    Content,
    HomeserverError,
    InboxId,
    Job,
    Mxid,
    Permanent,
    PostKey,
    Role,
    Room,
    RoomId,
    Shows,
    Transient,
    Wanted,
    events_lane,
)
from bridge.model.task import BringPost, FillRoom, MakeRoom, SetUp
from bridge.ports import Tx

log = structlog.get_logger("setup")


INTRODUCED = "bot-introduced"
WELCOME = (
    "Postroom is running. Admin commands work in this room and nowhere else: !status shows how"
    " things are, !help lists the commands."
)


QUEUE_WELCOME = (
    "New conversations of {inbox} come here as cards: ✋ on a card takes it. !list, !search, !stats"
    " and !away also work in a direct chat with me (“Message” in my profile begins one), where they"
    " fill nobody's list of unread messages."
)


async def add_setup_jobs(desk: Desk) -> None:
    """At every start: add jobs that create or check the control room and each inbox's rooms."""
    async with desk.store.transaction("setup") as tx:
        await tx.jobs.add(SetUp(Role.CONTROL), "setup")
        for inbox in desk.settings.inboxes:
            for role in (Role.QUEUE, Role.SPACE):
                await tx.jobs.add(SetUp(role, inbox), "setup")


async def setup(desk: Desk, job: Job[SetUp]) -> None:
    """Create or find one room and store it; FillRoom does the rest. Goes on trying for ever."""
    if await _ends_for_unknown(desk, job):
        return
    async with _keeps_trying(desk, job.task.role, job.task.inbox):
        await _set_up(desk, job)


async def _ends_for_unknown(desk: Desk, job: Job[SetUp] | Job[FillRoom]) -> bool:
    """Finish the job of an inbox that is in the configuration no longer; whether it was so."""
    await desk.directory.load(desk.store)  # another process may have set the inbox up
    if job.task.inbox is None or desk.knows(job.task.inbox):
        return False
    async with desk.store.transaction("setup") as tx:
        await tx.jobs.finish(job)
    return True


async def _let_agents_in(tx: Tx, desk: Desk, queue: Room) -> None:
    """Let the members of a new queue room into the rooms that exist: it replaces a lost one."""
    rules = room.restricted(queue.id)
    for each in await tx.rooms.of_inbox(queue.inbox or InboxId("")):
        if each.role is not Role.QUEUE:
            key = PostKey.other(Shows.JOIN_RULES, each.place, "")
            wanted = Wanted.state(key, each.place, desk.bot, "m.room.join_rules", rules)
            await tx.posts.put(wanted)


@contextlib.asynccontextmanager
async def _keeps_trying(desk: Desk, role: Role, inbox: InboxId | None) -> AsyncIterator[None]:
    """Turn a permanent error into one that is tried again, and tell the admins once."""
    try:
        yield
    except Permanent as error:
        where = f"{role} room" if inbox is None else f"{role} room of {inbox}"
        async with desk.store.transaction("told") as tx:
            await tell_control(
                tx, desk, PostKey.other(Shows.SETUP, role, inbox or ""),
                f"⚠️ The {where} cannot be set up: {error}\nThe bridge keeps trying.",
            )  # fmt: skip
        raise Transient(f"the {where} cannot be set up: {error}") from error


async def _set_up(desk: Desk, job: Job[SetUp]) -> None:
    role, inbox = job.task.role, job.task.inbox or None
    async with desk.store.reading() as tx:
        found = await tx.rooms.find(role, inbox)
        queue = await tx.rooms.find(Role.QUEUE, inbox)
    await desk.chat.ensure_ghost(desk.bot)
    if role is Role.CONTROL:
        await _set_bot_profile(desk)
    is_new = found is None
    if found is None:
        made = await _make(desk, role, inbox, queue.id if queue else None)
        found = Room(made, role, inbox, None, desk.room_version)
    async with desk.store.transaction("setup") as tx:
        await tx.rooms.save(found)
        await tx.jobs.add(FillRoom(role, inbox, made=is_new), events_lane(found.id))
        if is_new and role is Role.QUEUE:
            await _let_agents_in(tx, desk, found)
        if is_new:
            await tx.jobs.run_now((SetUp, MakeRoom, BringPost))
        await tx.jobs.finish(job)


async def fill(desk: Desk, job: Job[FillRoom]) -> None:
    """Store a room's members, set its content, invite the people the configuration names. Goes on
    trying for ever; a room that is lost is set up again."""
    if await _ends_for_unknown(desk, job):
        return
    async with _keeps_trying(desk, job.task.role, job.task.inbox):
        try:
            await _fill(desk, job)
        except HomeserverError as error:
            async with desk.store.reading() as tx:
                found = await tx.rooms.find(job.task.role, job.task.inbox)
            if error.status not in (403, 404) or not found or not await is_lost(desk, found.id):
                raise
            async with desk.store.transaction("setup") as tx:
                await tx.jobs.finish(job)
                await make_anew(tx, desk, found)


async def _fill(desk: Desk, job: Job[FillRoom]) -> None:
    role, inbox = job.task.role, job.task.inbox
    async with desk.store.reading() as tx:
        found = await tx.rooms.find(role, inbox)
    if found is None:
        raise Permanent(f"the {role} room of {inbox or 'the bridge'} is not stored")
    members = await desk.chat.members(found.id)
    encrypted = await desk.chat.state(found.id, "m.room.encryption") is not None
    async with desk.store.transaction("setup") as tx:
        known = await tx.rooms.members(found.id)
        for mxid in sorted({*members, *known}):
            # changes while the bridge was down are handled as if we had received their events
            if not desk.is_own(mxid):
                membership = members.get(mxid, "leave")
                await membership_changed(
                    tx, desk, found, mxid, membership, f"setup:{desk.now()}", invited=True
                )
        await _fill_and_invite(tx, desk, found, made=job.task.made)
        if encrypted:
            await tell_control(
                tx, desk, PostKey.other(Shows.ENCRYPTED, found.id),
                f"The homeserver encrypts new rooms ({role} {inbox or ''}), and the bridge cannot"
                " read those. Set encryption: avoid under homeserver in config.yaml, or"
                " encryption_enabled_by_default_for_room_type: off in Synapse; then remove the room"
                " and start the bridge again.",
            )  # fmt: skip
        await tx.jobs.finish(job)


async def _make(desk: Desk, role: Role, inbox: InboxId | None, queue: RoomId | None) -> RoomId:
    alias, rooms = desk.alias(role, inbox or ""), desk.new_rooms
    if role is Role.CONTROL:
        body = rooms.control(alias)
    elif role is Role.QUEUE:
        body = rooms.queue(desk.inbox(inbox), alias)
    elif queue is None:
        raise Transient(f"the queue room of {inbox} is not made yet", retry_after=1.0)
    else:
        body = rooms.space(desk.inbox(inbox), alias, queue)
    return await make_room(desk, alias, body)


async def _set_bot_profile(desk: Desk) -> None:
    """Set the bot's display name and avatar, once."""
    async with desk.store.reading() as tx:
        done = await tx.settings.value(INTRODUCED)
    if done is None:
        face = await picture.upload_avatar(
            desk, picture.avatar_request(Address("postroom@", "Postroom"))
        )
        try:
            await desk.chat.set_bot_profile("Postroom", face)
        except Permanent as error:  # a homeserver may forbid changes of profiles
            log.info("no name and picture of its own", error=str(error))
        async with desk.store.transaction("setup") as tx:
            await tx.settings.set_value(INTRODUCED, face)


async def make_room(desk: Desk, alias: str, body: Content) -> RoomId:
    try:
        return await desk.chat.make_room(f"#{alias}:{desk.server_name}", body)
    except Permanent as error:
        raise Permanent(f"room #{alias} could not be made: {error}") from error


async def _fill_and_invite(tx: Tx, desk: Desk, found: Room, *, made: bool) -> None:
    """Show a room's content and invite people, each named person only once ever. `made`: the room
    is new and was created with name and topic."""
    place = found.place
    if found.inbox is None:
        await tell_control(tx, desk, PostKey.other(Shows.WELCOME), WELCOME)
        people = list(desk.settings.admins)
        await _remove_former_admins(tx, desk, found)
    else:
        inbox = desk.inbox(found.inbox)
        people = sorted({*inbox.agents, *inbox.leads})
        if found.role is Role.QUEUE:
            welcome = desk.quiet_message(QUEUE_WELCOME.format(inbox=inbox.name))
            key = PostKey.other(Shows.WELCOME, place)
            await tx.posts.put(Wanted.message(key, place, desk.bot, welcome))
            await refresh_queue_list(tx, desk, inbox)
            await agents.set_queue_powers(tx, desk, inbox)
        await _title(tx, desk, found, inbox, made=made)
    await _invite_again(tx, desk, found)
    for mxid in people:
        there = await tx.rooms.membership(found.id, Mxid(mxid))
        wanted = Wanted.invitation(PostKey.other(Shows.INVITE, place, mxid), place, desk.bot, mxid)
        await tx.posts.put(replace(wanted, exists_already=there in ("join", "invite")))


async def _invite_again(tx: Tx, desk: Desk, found: Room) -> None:
    """Send the invitations again that the homeserver refused, except to who came since, or is
    named no longer."""
    named: set[str] = {*desk.settings.admins}
    if found.inbox is not None:
        inbox = desk.inbox(found.inbox)
        named = {*inbox.agents, *inbox.leads}
    for post in await tx.posts.unsent_invitations(found.place):
        mxid = Mxid(post.state_key)
        by_chat = post.key != PostKey.other(Shows.INVITE, found.place, mxid)
        if found.role is Role.SPACE and found.inbox is not None:
            by_chat = await tx.rooms.is_agent(found.inbox, mxid)
        is_former = mxid not in named and not by_chat
        if is_former or await tx.rooms.membership(found.id, mxid) in ("join", "invite"):
            await tx.posts.withdraw_invitations(found.place, mxid)
        else:
            await tx.posts.order(post.id, post.lane)


async def _title(tx: Tx, desk: Desk, found: Room, inbox: Inbox, *, made: bool) -> None:
    """Set name, topic and avatar of an inbox's queue room or space."""
    place = found.place
    name, topic = room.name_and_topic(found.role, inbox)
    for shows, type_, content in (
        (Shows.NAME, "m.room.name", {"name": name}),
        (Shows.TOPIC, "m.room.topic", {"topic": topic}),
    ):
        wanted = Wanted.state(PostKey.other(shows, place), place, desk.bot, type_, content)
        await tx.posts.put(replace(wanted, exists_already=made))
    face = picture.avatar_request(Address(inbox.address, inbox.name))
    key = PostKey.other(Shows.AVATAR, place)
    wanted = Wanted.state(key, place, desk.bot, "m.room.avatar", face)
    await tx.posts.put(replace(wanted, lane=f"avatar:{place}"))


async def _remove_former_admins(tx: Tx, desk: Desk, control: Room) -> None:
    """Remove former admins from the control room, and withdraw their open invitations."""
    there = {*await tx.rooms.members(control.id), *await tx.rooms.invited(control.id)}
    for mxid in sorted(there - set(desk.settings.admins)):
        # only those whom the bridge invited: a guest whom an admin invited may stay
        asked = PostKey.other(Shows.INVITE, CONTROL, mxid)
        if await tx.posts.by_key(asked) is not None:
            await tx.posts.rename(asked, asked.renamed("until", desk.now()))  # may be invited again
            key = PostKey.other(Shows.EXPEL, CONTROL, mxid, desk.now())
            why = "no admin of Postroom any more"
            removal = Wanted.removal(key, CONTROL, desk.bot, mxid, why)
            await tx.posts.put(replace(removal, lane="expel:control"))
