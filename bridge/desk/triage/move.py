"""`!move`: moves a conversation to another inbox; its room and number stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.chat import render, room
from bridge.chat.room import link
from bridge.config.inbox import Inbox
from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import answer, powers, refresh, refresh_queue_list, set_in_space
from bridge.desk.triage.merge import refuse_under_way
from bridge.model import Content, Conversation, Place, PostKey, Refused, Role, Room, Shows, Wanted
from bridge.ports import Tx


async def move(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!move sales@acme.com`: the agents of that inbox get access; all other agents are removed."""
    conversation, old = context.conversation, context.inbox
    new = _named(desk, context)
    queue = await tx.rooms.find(Role.QUEUE, new.id)
    space = await tx.rooms.find(Role.SPACE, new.id)
    was = await tx.rooms.find(Role.SPACE, old.id)
    if conversation.room is None or queue is None or space is None:
        raise Refused(f"The rooms of {new.name} are not made yet; try again in a moment.")
    if new.federate != old.federate:
        raise Refused(f"{new.name} and {old.name} differ in whether other homeservers may come in,"
                      " and a room cannot change that; !forward its mails instead.")  # fmt: skip
    await refuse_under_way(tx, conversation)
    agents = await tx.rooms.agents(new.id)
    keeps = conversation.assignee if conversation.assignee in agents else None
    await _leave(tx, desk, conversation, old, new)
    known = await tx.rooms.known(conversation.room)
    version = known.version if known is not None else desk.room_version
    await tx.rooms.save(
        Room(conversation.room, Role.CONVERSATION, new.id, conversation.number, version)
    )
    moved = await tx.conversations.update(
        conversation.number, inbox=new.id, assignee=keeps, changed_at=desk.now()
    )
    rules = room.restricted(queue.id)
    await _set(tx, desk, context, Shows.JOIN_RULES, "", rules)
    parent = {"via": [desk.server_name], "canonical": True}
    await _set(tx, desk, context, Shows.PARENT, space.id, parent)
    if was is not None:
        await _set(tx, desk, context, Shows.PARENT, was.id, {})
    await powers(tx, desk, moved, exists_already=False)
    await set_in_space(tx, desk, moved, inside=True)
    await refresh(tx, desk, moved)
    await refresh_queue_list(tx, desk, old)
    text = f"Moved to {new.name}; its agents see the card and everything in this room."
    await answer(tx, desk, context.where, context.event.id, text)  # before its readers are removed
    await _expel(tx, desk, context, agents, new)
    return None


def _named(desk: Desk, context: CommandContext) -> Inbox:
    said = context.rest.strip().casefold()
    for inbox in desk.settings.inboxes.values():
        if said in (inbox.id, *inbox.own):
            if inbox.id == context.inbox.id:
                raise Refused(f"It is in {inbox.name} already.")
            return inbox
    there = ", ".join(each.address for each in desk.settings.inboxes.values()
                      if each.id != context.inbox.id)  # fmt: skip
    if not there:
        raise Refused("There is no other inbox to move it to.")
    raise Refused(f"Say to which inbox: !move ADDRESS; there are {there}.")


async def _leave(tx: Tx, desk: Desk, conversation: Conversation, old: Inbox, new: Inbox) -> None:
    """Let the card in the old queue room say where the conversation went, and remove the room from
    the old space."""
    number, queue = conversation.number, Place.queue(old.id)
    card, hand, claim, child = (
        PostKey.of_conversation(shows, number)
        for shows in (Shows.CARD, Shows.HAND, Shows.CLAIM, Shows.CHILD)
    )
    left = f"left:{old.id}:{desk.now()}"
    if await tx.posts.by_key(card) is not None:
        subject = conversation.subject or "(no subject)"
        url = link(conversation.room, desk.server_name) if conversation.room else ""
        head = f"#{conversation.number} {conversation.contact}\n{subject}"
        text = f"{head}\n➡️ moved to {new.name}\n{url}"
        await tx.posts.put(Wanted.message(card, queue, desk.bot, render.text_message(text)))
        await tx.posts.put(Wanted.reaction(hand, queue, desk.bot, "", card))
        for key in (card, hand, claim):
            await tx.posts.rename(key, key.renamed(left))
    await set_in_space(tx, desk, conversation, inside=False)
    await tx.posts.rename(child, child.renamed(left))


async def _set(
    tx: Tx, desk: Desk, context: CommandContext, shows: Shows, state_key: str, content: Content
) -> None:
    """Set a state event of the conversation's room: its join rules, or the space it belongs to."""
    number = context.conversation.number
    key = PostKey.of_conversation(shows, number, state_key, context.event.id)
    wanted = Wanted.state(key, Place.of(number), desk.bot, shows.value, content)
    await tx.posts.put(replace(wanted, state_key=state_key))


async def _expel(
    tx: Tx, desk: Desk, context: CommandContext, agents: Sequence[str], new: Inbox
) -> None:
    """Remove the old inbox's agents, except those of the new one. Guests stay, as they were
    invited."""
    room_id = context.conversation.room
    for mxid in await tx.rooms.agents(context.inbox.id):
        inside = room_id and await tx.rooms.membership(room_id, mxid) in ("join", "invite")
        if mxid in agents or not inside:
            continue
        number = context.conversation.number
        key = PostKey.of_conversation(Shows.EXPEL, number, mxid, context.event.id)
        why = f"moved to {new.name}"
        await tx.posts.put(Wanted.removal(key, Place.of(number), desk.bot, mxid, why))


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "move",
        Role.CONVERSATION,
        "ADDRESS",
        "Move this conversation to another inbox and its team. Its room and number stay.",
        move,
    ),
)
