"""Looks up the names of the people whom the bridge's messages and topics name by their ids."""

from __future__ import annotations

from bridge.chat import naming
from bridge.desk.desk import Desk
from bridge.model import Content, Role, RoomId


async def with_names(desk: Desk, content: Content, room: RoomId) -> Content:
    """A content with people's names, as `room` knows them; in the control room, where admins name
    people by their ids, with both. Ids of people who were in no room of ours stay: a customer may
    write any, and nobody is looked up for them."""
    if not (ids := naming.ids_in(content)):
        return content
    ours = {*desk.settings.admins}
    for inbox in desk.settings.inboxes.values():
        ours |= {*inbox.agents, *inbox.leads}
    async with desk.store.reading() as tx:
        known = [each for each in ids if each in ours or await tx.rooms.knows(each)]
        control = await tx.rooms.find(Role.CONTROL)
    people = [each for each in known if not desk.is_own(each)]
    names = {each: await desk.chat.shown_name(room, each) for each in people}
    is_control = control is not None and control.id == room
    return naming.named(content, names, with_ids=is_control)
