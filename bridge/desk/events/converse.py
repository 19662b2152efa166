"""Handles one stored Matrix event: finds out what it asks for and runs that."""

from __future__ import annotations

from dataclasses import replace

from structlog.contextvars import bind_contextvars

from bridge.chat import command
from bridge.desk.admin import sealed
from bridge.desk.command import Answer, Needs
from bridge.desk.desk import Desk
from bridge.desk.events import changed, control
from bridge.desk.events.act import Said, act
from bridge.desk.events.commands import REACTIONS, agent_command, unknown
from bridge.desk.events.newcomers import PATIENCE, require_noted
from bridge.desk.events.outside import handle_unknown_room
from bridge.desk.rooms import post
from bridge.desk.rooms.lost import is_lost, make_anew
from bridge.desk.rooms.refresh import answer, answer_with
from bridge.desk.team import members
from bridge.model import (
    Event,
    EventId,
    HomeserverError,
    Job,
    Mxid,
    Permanent,
    Place,
    Role,
    Room,
    Shows,
    Transient,
)
from bridge.model.task import HandleEvent
from bridge.ports import Tx


async def converse(desk: Desk, job: Job[HandleEvent]) -> None:
    """Handle one Matrix event; all its effects commit in one transaction with the end of its job.
    Raises Permanent where the event is not stored."""
    async with desk.store.reading() as tx:
        event = await tx.events.get(job.task.event)
        if event is None:
            raise Permanent(f"event {job.task.event} is not there")
        room = await tx.rooms.known(event.room)
        inbox = room.inbox if room is not None else None
        by_agent = inbox is not None and await tx.rooms.is_agent(inbox, event.sender)
    if room is not None and room.conversation is not None:
        bind_contextvars(conversation=room.conversation)
    if sealed.SEALED in event.content:
        await _control(desk, job, sealed.unseal(desk, event), room)
        return
    if room is None or event.type == "m.room.encrypted":
        await handle_unknown_room(desk, job, event, room)
        return
    said = await _said(desk, event, room, by_agent=by_agent)
    now = ""
    member = Mxid(event.state_key or "")
    if event.type == "m.room.member":  # events can come late or out of order: ask for the state
        try:
            now = await desk.chat.membership(event.room, member)
        except HomeserverError as error:
            await _in_lost_room(desk, job, room, error)
            return
        if now == "join" and room.role is Role.CONVERSATION:
            await require_noted(desk, event, [room.inbox] if room.inbox else [], member)
    async with desk.store.transaction("event") as tx:
        if event.type == "m.room.member":
            # the event of an invitation may arrive after the person has joined
            invited = "invite" in (event.prev_membership, event.content.get("membership"))
            await members.membership_changed(tx, desk, room, member, now, event.id, invited=invited)
        elif event.type == "m.room.redaction":
            await changed.redacted(tx, desk, event)
        elif (edited := command.edited(event.content)) is not None:
            await changed.edited(tx, desk, event, edited)
        elif said is not None and (told := await act(tx, desk, said)):
            await _answer(tx, desk, room.place, event.id, told)
        await tx.jobs.finish(job)


async def _answer(tx: Tx, desk: Desk, place: Place, event: EventId, told: Answer) -> None:
    if isinstance(told, str):
        await answer(tx, desk, place, event, told)
    else:
        await answer_with(tx, desk, place, event, told)


async def _in_lost_room(
    desk: Desk, job: Job[HandleEvent], room: Room, error: HomeserverError
) -> None:
    """Handle an event of a room that the homeserver does not show: make the room anew if it is
    lost. Raises the error if it is not."""
    if error.status not in (403, 404) or not await is_lost(desk, room.id):
        raise error
    async with desk.store.transaction("event") as tx:
        await tx.jobs.finish(job)
        if await tx.rooms.known(room.id) is not None:
            await make_anew(tx, desk, room)


async def _said(desk: Desk, event: Event, room: Room, *, by_agent: bool) -> Said | None:
    """Parse an event into a command or reaction, with what its handler needs from the homeserver;
    None for an ordinary message. Raises Transient while the post it reacts to, or the fact that its
    sender is an agent, is not stored yet."""
    if event.type == "m.reaction":
        reaction = command.reaction(event.content)
        said = await _reaction(desk, event, room, *reaction, by_agent) if reaction else None
    else:
        spoken = desk.commands.of(event.content)
        if spoken is None:
            return None
        meant = agent_command(spoken.name, room.role)
        points_at = command.replied_to(event.content)
        said = Said(event, room, meant, spoken.name, spoken.rest, points_at)
    if room.role is Role.DIRECT and said is not None:
        there = await desk.chat.members(event.room)
        others = {who for who, how in there.items() if how in ("join", "invite")}
        return replace(said, is_private=others == {event.sender, desk.bot})
    if said is None or said.meant is None:
        return said
    if not by_agent:
        await require_noted(desk, event, [room.inbox] if room.inbox else [], event.sender)
        return said
    needs = said.meant.needs
    if Needs.TARGET in needs and said.points_at is not None:
        said = replace(said, target=await desk.chat.event(event.room, said.points_at))
    if Needs.TIME_ZONE in needs:
        said = replace(said, zone=await desk.chat.time_zone(event.sender))
    if Needs.SENDER_NAME in needs:
        said = replace(said, name=await desk.chat.display_name(event.room, event.sender))
    return said


async def _reaction(
    desk: Desk, event: Event, room: Room, target: EventId, emoji: str, by_agent: bool
) -> Said | None:
    """Parse a reaction; None for one that has no meaning in this room."""
    in_queue = room.role is Role.QUEUE
    fits = [
        each for each in REACTIONS if each.emoji == emoji and (each.on is Shows.CARD) is in_queue
    ]
    if not fits:
        return None
    if by_agent and fits[0].on is not None:
        await _require_stored_post(desk, event, target)
    return Said(event, room, fits[0], points_at=target)


async def _require_stored_post(desk: Desk, event: Event, target: EventId) -> None:
    """Make sure that the status or card that a reaction points at has a stored event id. Raises
    Transient until then, so that the job is tried again."""
    async with desk.store.reading() as tx:
        known = await tx.posts.by_event(target) is not None
    if known or desk.now() - event.at > PATIENCE:
        return
    if await post.is_on_its_way(desk, event.room, target):
        raise Transient("what it is on is being brought into the room", retry_after=0.5)


async def _control(desk: Desk, job: Job[HandleEvent], event: Event, room: Room | None) -> None:
    """Handle an event meant for the control room. In another room it is only redacted and answered,
    as it may contain a secret."""
    await desk.directory.load(desk.store)  # another process may have changed an inbox
    async with desk.store.transaction("event") as tx:
        if room is None:
            await tx.events.blank(event.id)
        elif room.role is not Role.CONTROL:
            await sealed.redact_secret(tx, desk, event)
            said = desk.commands.of_text(command.new_text(event.content))
            text = "That belongs into the control room; it is being redacted."
            if said is not None:
                text = unknown(said.name, room.role, desk.settings.command_prefix)
            await answer(tx, desk, room.place, event.id, f"{text} Nothing was done.")
        elif told := await control.act(tx, desk, event):
            await _answer(tx, desk, room.place, event.id, told)
        await tx.jobs.finish(job)
    await desk.directory.load(desk.store)
