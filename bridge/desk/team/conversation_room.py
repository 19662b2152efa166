"""Creates the room of a conversation, also anew where the homeserver lost it."""

from __future__ import annotations

from bridge.chat import room
from bridge.chat.new_room import FirstMembers
from bridge.desk.desk import Desk
from bridge.desk.rooms import picture
from bridge.desk.rooms.invite import invite
from bridge.desk.rooms.names import with_names
from bridge.desk.rooms.refresh import powers, refresh, refresh_room
from bridge.desk.team.setup import make_room
from bridge.model import Job, Role, Room, Transient
from bridge.model.task import MakeRoom


async def make_conversation_room(desk: Desk, job: Job[MakeRoom]) -> None:
    """Create the room of a conversation; its posts wait behind this job in the same lane."""
    number = job.task.number
    async with desk.store.reading() as tx:
        conversation = await tx.conversations.get(number)
        queue = await tx.rooms.find(Role.QUEUE, conversation.inbox)
        space = await tx.rooms.find(Role.SPACE, conversation.inbox)
        agents = await tx.rooms.agents(conversation.inbox)
    inbox = desk.inbox(conversation.inbox)
    if queue is None or space is None:
        raise Transient(f"the rooms of {inbox.id} are not made yet", retry_after=1.0)
    ghost = desk.ghost(conversation.contact)
    await desk.chat.ensure_ghost(ghost, room.ghost_name(conversation.contact))
    alias = desk.alias(Role.CONVERSATION, number)
    face = await picture.upload_avatar(desk, picture.avatar_request(conversation.contact))
    first = FirstMembers(ghost, face, agents)
    body = desk.new_rooms.conversation(conversation, inbox, alias, first, queue.id, space.id)
    body = await with_names(desk, body, queue.id)
    made = conversation.room or await make_room(desk, alias, body)
    async with desk.store.transaction("room") as tx:
        with_room = await tx.conversations.update(number, room=made)
        await tx.rooms.save(Room(made, Role.CONVERSATION, inbox.id, number, desk.room_version))
        await refresh_room(
            tx, desk, conversation, inbox, exists_already=True, without_avatar=not face
        )
        await powers(tx, desk, with_room, exists_already=True)
        await invite(tx, desk, with_room, "new")
        await refresh(tx, desk, with_room)
        await tx.jobs.finish(job)
