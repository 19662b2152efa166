"""Handles invitations and messages in rooms that are not ours: whoever asks gets a direct chat."""

from __future__ import annotations

import structlog

from bridge.desk.desk import Desk
from bridge.desk.events.newcomers import require_noted
from bridge.model import Event, Job, Permanent, Room
from bridge.model.task import HandleEvent, MakeDirect

log = structlog.get_logger("outside")


async def handle_unknown_room(
    desk: Desk, job: Job[HandleEvent], event: Event, room: Room | None
) -> None:
    """Accept an invitation of an admin or agent, to say there where their direct chat is; decline
    others. Raises Transient while it is not stored yet that the sender is an agent."""
    invited = event.type == "m.room.member" and event.state_key == desk.bot
    async with desk.store.reading() as tx:
        known = event.sender in desk.settings.admins
        for inbox in desk.settings.inboxes:
            known = known or await tx.rooms.is_agent(inbox, event.sender)
    is_invite = invited and event.content.get("membership") == "invite" and room is None
    if is_invite and not known:
        await require_noted(desk, event, desk.settings.inboxes, event.sender)
    if is_invite:
        try:
            await (desk.chat.join if known else desk.chat.leave)(event.room)
        except Permanent:
            is_invite = False  # the invite was taken back meanwhile
    talks = event.type in ("m.room.message", "m.room.encrypted")
    is_alone = False
    if known and talks and room is None:
        try:
            members = await desk.chat.members(event.room)
            there = {who for who, how in members.items() if how == "join"}
            is_alone = there == {event.sender, desk.bot}
        except Permanent:
            log.info("members of another room are not shown", room=event.room)
    async with desk.store.transaction("event") as tx:
        if known and (is_invite or (talks and is_alone)) and room is None:
            task = MakeDirect(event.sender, event=event.id, asked_in=event.room, invited=is_invite)
            await tx.jobs.add(task, f"direct:{event.sender}")
        await tx.jobs.finish(job)
