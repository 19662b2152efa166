"""Handles invitations and messages in rooms that are not ours."""

from __future__ import annotations

from bridge.chat.room import link
from bridge.desk.desk import Desk
from bridge.model import Event, Job, Permanent, Place, PostKey, Role, Room, Shows, Wanted
from bridge.model.task import HandleEvent


async def handle_unknown_room(
    desk: Desk, job: Job[HandleEvent], event: Event, room: Room | None
) -> None:
    """Accept an invitation of an admin or agent (decline others), and answer with a link to the
    control room."""
    invited = event.type == "m.room.member" and event.state_key == desk.bot
    async with desk.store.reading() as tx:
        control = await tx.rooms.find(Role.CONTROL)
        known = event.sender in desk.settings.admins
        for inbox in desk.settings.inboxes:
            known = known or await tx.rooms.is_agent(inbox, event.sender)
    is_invite = invited and event.content.get("membership") == "invite" and room is None
    if is_invite:
        try:
            await (desk.chat.join if known else desk.chat.leave)(event.room)
        except Permanent:
            is_invite = False  # the invite was taken back meanwhile
    async with desk.store.transaction("event") as tx:
        talks = event.type in ("m.room.message", "m.room.encrypted")
        if known and control is not None and (is_invite or talks) and room is None:
            text = (
                "I work in rooms of my own. Admins talk to me here: "
                f"{link(control.id, desk.server_name)}"
            )
            key, place = PostKey.other(Shows.POINTER, event.room), Place.at(event.room)
            await tx.posts.put(Wanted.message(key, place, desk.bot, desk.quiet_message(text)))
        await tx.jobs.finish(job)
