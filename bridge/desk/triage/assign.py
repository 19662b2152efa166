"""Whose conversation it is: taken, given, given back, or dealt out."""

from __future__ import annotations

from bridge.chat import command
from bridge.chat.command import HAND
from bridge.config.inbox import Inbox
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import Hearing
from bridge.desk.desk import Desk
from bridge.desk.rooms.invite import invite
from bridge.desk.rooms.refresh import refresh
from bridge.model import (
    FINISHED,
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


async def take(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!take`, or ✋ on the card: mine, invited, and the card says so."""
    about, before = heard.about, heard.about.assignee
    if before == heard.who:
        return "You have it already."
    if before is not None and heard.event.type == "m.reaction":
        return f"#{about.number} is taken by {before}; !take in its room takes it over."
    await give(tx, desk, about, heard.who, heard.event.id)
    if before is not None:
        await _tell(tx, desk, heard, before, f"{heard.who} has taken this over from {before}.")
    return f"#{about.number} is yours." if heard.event.type != "m.reaction" else None


async def assign(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!assign @who`: somebody else's; they are told."""
    who = await _meant(tx, desk, heard)
    about, before = heard.about, heard.about.assignee
    if before == who:
        return f"{who} has it already."
    await give(tx, desk, about, who, heard.event.id)
    if who == heard.who:
        return f"#{about.number} is yours."
    await _tell(tx, desk, heard, who, f"{who}, {heard.who} gave you this conversation.")
    return None


async def unassign(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!unassign`: nobody's again; it goes back to the top of the list."""
    before = heard.about.assignee
    if before is None:
        return "Nobody has it."
    await give(tx, desk, heard.about, None, heard.event.id)
    if before != heard.who:
        await _tell(tx, desk, heard, before, f"{heard.who} took this conversation from {before}.")
    return f"#{heard.about.number} is free for whoever takes it."


async def give(
    tx: Tx, desk: Desk, about: Conversation, who: Mxid | None, mark: str
) -> Conversation:
    """Note whose it is, invite them, and have card, list and topic say so. `mark` tells this from
    other times."""
    about = await tx.conversations.update(about.number, assignee=who, changed_at=desk.now())
    await invite(tx, desk, about, mark)
    await refresh(tx, desk, about)
    return about


async def next_in_turn(tx: Tx, inbox: Inbox) -> Mxid | None:
    """Whose a new conversation becomes by the inbox's own rule; None where it has none, or nobody
    is there."""
    if inbox.assign == "never":
        return None
    away = await tx.agents.away()
    there = [mxid for mxid in await tx.rooms.agents(inbox.id) if mxid not in away]
    if not there:
        return None
    turn = f"turn:{inbox.id}"
    last = await tx.keep.value(turn) or ""
    # who comes after the last one, and then from the beginning
    order = sorted(there, key=lambda mxid: (mxid <= last, mxid))
    if inbox.assign == "least-busy":
        busy = await tx.conversations.open_by_agent(inbox.id)
        order.sort(key=lambda mxid: busy.get(mxid, 0))
    await tx.keep.set_value(turn, order[0])
    return order[0]


async def go_away(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!away`: no conversations are dealt to them; what they have stays theirs."""
    await tx.agents.set_away(heard.who, desk.now())
    return "You are away: no new conversations come to you by themselves. !back ends that."


async def come_back(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    was_away = heard.who in await tx.agents.away()
    await tx.agents.set_away(heard.who, None)
    return "Welcome back." if was_away else "You were not away."


async def release(tx: Tx, desk: Desk, inbox: Inbox, who: Mxid, mark: str) -> None:
    """Who is no agent any more leaves their open conversations to the others."""
    for about in await tx.conversations.of_agent(inbox.id, who):
        if about.state not in FINISHED:
            await give(tx, desk, about, None, mark)


async def _meant(tx: Tx, desk: Desk, heard: Hearing) -> Mxid:
    """The agent a message names: as a mention, by Matrix id, or by what stands before the colon.
    Raises Refused with who could be meant."""
    agents = await tx.rooms.agents(heard.inbox.id)
    named = [mxid for mxid in command.mentioned(heard.event.content) if mxid != desk.bot]
    if not named:
        word = heard.rest.strip().casefold().lstrip("@")
        named = [
            mxid for mxid in agents
            if word in (mxid[1:].casefold(), mxid[1:].partition(":")[0].casefold())
        ]  # fmt: skip
    if len(named) == 1 and named[0] in agents:
        return Mxid(named[0])
    who = ", ".join(agents)
    said = heard.rest.strip()[:60]
    if not said:
        raise Refused(f"Say to whom: !assign @who. Agents of {heard.inbox.name}: {who}.")
    raise Refused(f"{said} is no agent of {heard.inbox.name}; there are {who}.")


async def _tell(tx: Tx, desk: Desk, heard: Hearing, who: Mxid, text: str) -> None:
    """Say something in the conversation that reaches one person: no notice, which notifies
    nobody."""
    content: Content = desk.message(text)
    content["m.mentions"] = {"user_ids": [who]}
    key = PostKey.other(Shows.TELL, heard.event.id, who)
    await tx.posts.put(Wanted.message(key, Place.of(heard.about.number), desk.bot, content))


COMMANDS: tuple[CommandSpec[Hearing], ...] = (
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
        "Give this conversation to another agent, who is told.",
        assign,
    ),
    CommandSpec(
        "unassign",
        Role.CONVERSATION,
        "",
        "Let whoever likes take this conversation.",
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
        "Get no new conversations by yourself for now; you keep those you have.",
        go_away,
    ),
    CommandSpec(
        "back",
        Role.QUEUE,
        "",
        "Be there again.",
        come_back,
    ),
)
REACTIONS = (
    ReactionSpec(HAND, take, Shows.CARD, "on a card: take the conversation; ✅ there closes it"),
)
