"""`!split` in the room of a conversation that was merged: undoes that merge."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import TypedDict

from bridge.chat import render
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import refresh
from bridge.desk.triage import state
from bridge.model import (
    FINISHED_CONVERSATIONS,
    Conversation,
    Letter,
    Mxid,
    Number,
    Place,
    PostKey,
    Priority,
    Refused,
    Shows,
    State,
    Wanted,
)
from bridge.ports import Tx


class Was(TypedDict):
    """What a merge changes of a conversation, as it was before."""

    state: str
    waiting_since: float | None
    assignee: Mxid | None
    tags: list[str]
    priority: int


class Noted(TypedDict):
    """A merge: its time (epoch seconds), the mails that it moved, and keyed hashes of the
    participants whom it brought: an address that is erased stays in no note."""

    at: float
    mails: list[int]
    came: list[str]
    gone: Was
    into: Was


async def note(
    tx: Tx, desk: Desk, gone: Conversation, into: Conversation, letters: Sequence[Letter]
) -> None:
    """Note, before a merge, what it moves and changes."""
    came = await tx.conversations.participants(gone.number)
    were = await tx.conversations.participants(into.number)
    noted: Noted = {
        "at": desk.now(),
        "mails": [letter.id for letter in letters],
        "came": [_hashed(desk, each) for each in sorted(came - were)],
        "gone": _as_it_is(gone),
        "into": _as_it_is(into),
    }
    await tx.settings.set_value(note_key(gone.number), json.dumps(noted))


def _hashed(desk: Desk, address: str) -> str:
    secret = desk.keys.for_aliases.encode()
    return hmac.new(secret, f"participant:{address}".encode(), hashlib.sha256).hexdigest()[:32]


def note_key(gone: Number) -> str:
    """The setting that holds the note of a merge."""
    return f"merge:{gone}"


def _as_it_is(conversation: Conversation) -> Was:
    return {
        "state": conversation.state.value,
        "waiting_since": conversation.waiting_since,
        "assignee": conversation.assignee,
        "tags": list(conversation.tags),
        "priority": int(conversation.priority),
    }


async def unmerge(
    tx: Tx, desk: Desk, context: CommandContext, gone: Conversation, into: Conversation
) -> str:
    """Take the mails of `gone` back out of `into`, and go on here. Mails that came since the merge
    stay there. Raises Refused where nothing can be taken back."""
    if into.merged is not None:
        raise Refused(f"#{into.number} goes on in #{into.merged} itself; say !split there first.")
    known = await tx.settings.value(note_key(gone.number))
    noted: Noted | None = json.loads(known) if known is not None else None
    there = await tx.mails.of_conversation(into.number)
    back = [each for each in there if noted is not None and each.id in noted["mails"]]
    if noted is None or not back:
        raise Refused(f"None of its mails is in #{into.number} any more; nothing was done.")
    rest = [each for each in there if each not in back]
    for shows in (Shows.MERGED, Shows.GOES_ON):  # so that a later merge says so anew
        key = PostKey.of_conversation(shows, gone.number)
        await tx.posts.rename(key, key.renamed("undone", desk.now()))
    await tx.mails.relocate(back, gone.number)
    for letter in back:
        await tx.passages.relocate(letter.id, gone.number)
    await _part(tx, desk, into.number, noted["came"], rest)
    await tx.settings.drop_value(note_key(gone.number))
    await _open_again(tx, desk, gone, noted["gone"], back)
    await _as_before(tx, desk, into, noted, rest)
    told = render.notice(f"The mails of #{gone.number} went back to #{gone.number}.")
    key = PostKey.of_conversation(Shows.SPLIT, into.number, gone.number, desk.now())
    await tx.posts.put(Wanted.message(key, Place.of(into.number), desk.bot, told))
    many = "its mail is" if len(back) == 1 else f"its {len(back)} mails are"
    return f"This conversation goes on here again, {many} back from #{into.number}."


async def _part(
    tx: Tx, desk: Desk, into: Number, came: Sequence[str], rest: Sequence[Letter]
) -> None:
    """Take from `into` the participants who came with the merge: they could write into it by its
    Message-IDs. Who wrote there since, or was written to, stays."""
    kept = {each.sender.key for each in rest if not each.outbound}
    kept |= {who.key for each in rest if each.outbound for who in (*each.to, *each.cc)}
    there = await tx.conversations.participants(into)
    leave = [each for each in sorted(there - kept) if _hashed(desk, each) in came]
    await tx.conversations.remove_participants(into, leave)


async def _open_again(
    tx: Tx, desk: Desk, gone: Conversation, was: Was, back: Sequence[Letter]
) -> None:
    """Give the conversation the state, owner and waiting time that it had."""
    before = State(was["state"])
    owner = await _still_agent(tx, gone, was["assignee"])
    await tx.conversations.update(gone.number, merged=None, assignee=owner)
    opens = not back[-1].outbound and before not in FINISHED_CONVERSATIONS
    as_before = before if before is not State.SNOOZED else State.ANSWERED
    now_is = State.OPEN if opens else State.ANSWERED if before is State.OPEN else as_before
    again = await tx.conversations.get(gone.number)
    again = await state.set_state(tx, desk, again, now_is)
    if opens and was["waiting_since"] is not None:
        again = await tx.conversations.update(gone.number, waiting_since=was["waiting_since"])
        await refresh(tx, desk, again)


async def _still_agent(tx: Tx, conversation: Conversation, who: Mxid | None) -> Mxid | None:
    """The former owner; nobody where they are no agent any more, since owners are invited."""
    is_agent = who is not None and await tx.rooms.is_agent(conversation.inbox, who)
    return who if is_agent else None


async def _as_before(
    tx: Tx, desk: Desk, into: Conversation, noted: Noted, rest: Sequence[Letter]
) -> None:
    """Take from the other conversation what the merge gave it, where nobody changed that since."""
    gone, was = noted["gone"], noted["into"]
    given = set(gone["tags"]) - set(was["tags"])
    owner = into.assignee
    if owner == gone["assignee"]:
        owner = await _still_agent(tx, into, was["assignee"])
    raised = into.priority == gone["priority"]
    waits = bool(rest) and not rest[-1].outbound
    into = await tx.conversations.update(
        into.number,
        assignee=owner,
        tags=tuple(tag for tag in into.tags if tag not in given),
        priority=Priority(was["priority"]) if raised else into.priority,
        waiting_since=was["waiting_since"] if waits else None,
    )
    if into.state is not State.OPEN:
        await refresh(tx, desk, into)
        return
    before = State(was["state"])
    came_since = any(each.at > noted["at"] for each in rest if not each.outbound)
    if came_since or before in (State.OPEN, State.SNOOZED):
        before = State.OPEN if waits else State.ANSWERED
    await state.set_state(tx, desk, into, before)
