"""Assigns conversations to agents: by command, by reaction, or automatically in turn."""

from __future__ import annotations

from bridge.chat import command
from bridge.chat.command import HAND
from bridge.config.inbox import Inbox
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.rooms.invite import invite
from bridge.desk.rooms.refresh import refresh
from bridge.model import (
    FINISHED_CONVERSATIONS,
    Content,
    Conversation,
    Mxid,
    Place,
    PostKey,
    Refused,
    Role,
    Shows,
    Wanted,
)
from bridge.ports import Tx


async def take(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!take`, or ✋ on the card: assign the conversation to the sender and invite them."""
    conversation, before = context.conversation, context.conversation.assignee
    if before == context.who:
        return "You have it already."
    if before is not None and context.event.type == "m.reaction":
        return f"#{conversation.number} is taken by {before}; !take in its room takes it over."
    await set_assignee(tx, desk, conversation, context.who, context.event.id)
    if before is not None:
        await _tell(tx, desk, context, before, f"{context.who} has taken this over from {before}.")
    return f"#{conversation.number} is yours." if context.event.type != "m.reaction" else None


async def assign(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!assign @who`: assign the conversation to another agent and notify them."""
    who = await _meant(tx, desk, context)
    conversation, before = context.conversation, context.conversation.assignee
    if before == who:
        return f"{who} has it already."
    await set_assignee(tx, desk, conversation, who, context.event.id)
    if who == context.who:
        return f"#{conversation.number} is yours."
    await _tell(tx, desk, context, who, f"{who}, {context.who} gave you this conversation.")
    return None


async def unassign(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!unassign`: remove the assignee, so that any agent may take the conversation."""
    before = context.conversation.assignee
    if before is None:
        return "Nobody has it."
    await set_assignee(tx, desk, context.conversation, None, context.event.id)
    if before != context.who:
        await _tell(
            tx, desk, context, before, f"{context.who} took this conversation from {before}."
        )
    return f"#{context.conversation.number} is free: anyone may take it."


async def set_assignee(
    tx: Tx, desk: Desk, conversation: Conversation, who: Mxid | None, dedup_key: str
) -> Conversation:
    """Assign a conversation (`who` None: to nobody), invite the assignee, and update card, list and
    topic. `mark` is the dedup key of the invitation."""
    conversation = await tx.conversations.update(
        conversation.number, assignee=who, changed_at=desk.now()
    )
    await invite(tx, desk, conversation, dedup_key)
    await refresh(tx, desk, conversation)
    return conversation


async def next_in_turn(tx: Tx, inbox: Inbox) -> Mxid | None:
    """The agent who gets the next new conversation by the inbox's `assign` setting; None where it
    is `never`, or all agents are away."""
    if inbox.assign == "never":
        return None
    away = await tx.agents.away()
    there = [mxid for mxid in await tx.rooms.agents(inbox.id) if mxid not in away]
    if not there:
        return None
    turn = f"turn:{inbox.id}"
    last = await tx.settings.value(turn) or ""
    # sorted agents, starting after the one who got the last conversation
    order = sorted(there, key=lambda mxid: (mxid <= last, mxid))
    if inbox.assign == "least-busy":
        busy = await tx.conversations.open_by_agent(inbox.id)
        order.sort(key=lambda mxid: busy.get(mxid, 0))
    await tx.settings.set_value(turn, order[0])
    return order[0]


async def go_away(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!away`: assign no new conversations to the sender automatically; they keep their own."""
    await tx.agents.set_away(context.who, desk.now())
    return "You are away: no new conversations come to you by themselves. !back ends that."


async def come_back(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    was_away = context.who in await tx.agents.away()
    await tx.agents.set_away(context.who, None)
    return "Welcome back." if was_away else "You were not away."


async def release(tx: Tx, desk: Desk, inbox: Inbox, who: Mxid, dedup_key: str) -> None:
    """Unassign all open conversations of somebody who is not an agent any more."""
    for conversation in await tx.conversations.of_agent(inbox.id, who):
        if conversation.state not in FINISHED_CONVERSATIONS:
            await set_assignee(tx, desk, conversation, None, dedup_key)


async def _meant(tx: Tx, desk: Desk, context: CommandContext) -> Mxid:
    """The agent a message names: as a mention, by Matrix id, or by its localpart. Raises Refused
    with the list of agents."""
    agents = await tx.rooms.agents(context.inbox.id)
    named = [mxid for mxid in command.mentioned(context.event.content) if mxid != desk.bot]
    if not named:
        word = context.rest.strip().casefold().lstrip("@")
        named = [
            mxid for mxid in agents
            if word in (mxid[1:].casefold(), mxid[1:].partition(":")[0].casefold())
        ]  # fmt: skip
    if len(named) == 1 and named[0] in agents:
        return Mxid(named[0])
    who = ", ".join(f"{mxid} (@{mxid[1:].partition(':')[0]})" for mxid in agents)
    said = context.rest.strip()[:60]
    if not said:
        raise Refused(f"Say to whom: !assign @who. Agents of {context.inbox.name}: {who}.")
    raise Refused(f"{said} is not an agent of {context.inbox.name}; its agents are {who}.")


async def _tell(tx: Tx, desk: Desk, context: CommandContext, who: Mxid, text: str) -> None:
    """Send a message to the conversation that notifies one person: m.text, as an m.notice notifies
    nobody."""
    content: Content = desk.message(text)
    content["m.mentions"] = {"user_ids": [who]}
    key = PostKey.other(Shows.TELL, context.event.id, who)
    await tx.posts.put(
        Wanted.message(key, Place.of(context.conversation.number), desk.bot, content)
    )


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "take",
        Role.CONVERSATION,
        "",
        "Make this conversation yours. The same as ✋ on its card.",
        take,
    ),
    CommandSpec(
        "assign",
        Role.CONVERSATION,
        "@WHO",
        "Give this conversation to another agent and notify them.",
        assign,
    ),
    CommandSpec(
        "unassign",
        Role.CONVERSATION,
        "",
        "Give this conversation back: anyone may take it.",
        unassign,
    ),
    CommandSpec(
        "take",
        Role.QUEUE,
        "NUMBER",
        "Make conversation NUMBER yours.",
        take,
        names_conversation=True,
    ),
    CommandSpec(
        "away",
        Role.QUEUE,
        "",
        "Get no new conversations automatically for now; you keep those you have.",
        go_away,
    ),
    CommandSpec(
        "back",
        Role.QUEUE,
        "",
        "Take new conversations again.",
        come_back,
    ),
)
REACTIONS = (
    ReactionSpec(HAND, take, Shows.CARD, "on a card: take the conversation; ✅ there closes it"),
)
