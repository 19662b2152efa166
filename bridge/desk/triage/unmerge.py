"""`!split` in the room of a conversation that was merged: takes its mails back."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.chat import render
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import refresh
from bridge.desk.triage import state
from bridge.model import (
    Conversation,
    Letter,
    Number,
    Place,
    PostKey,
    Refused,
    Shows,
    State,
    Wanted,
)
from bridge.ports import Tx


async def unmerge(
    tx: Tx, desk: Desk, context: CommandContext, gone: Conversation, into: Conversation
) -> str:
    """Take the mails of `gone` back out of `into`, and go on here. Mails that came since the merge
    stay there."""
    there = await tx.mails.of_conversation(into.number)
    back = [each for each in there if await _was_in(tx, desk, each, gone.number)]
    if not back:
        raise Refused(f"None of its mails is in #{into.number} any more; nothing was done.")
    rest = [each for each in there if each not in back]
    now = desk.now()
    for shows in (Shows.MERGED, Shows.GOES_ON):  # so that a later merge says so anew
        key = PostKey.of_conversation(shows, gone.number)
        await tx.posts.rename(key, key.renamed("undone", now))
    await tx.mails.relocate(back, gone.number)
    for letter in back:
        await tx.passages.relocate(letter.id, gone.number)
    await _part(tx, gone.number, into.number, rest)
    gone = await tx.conversations.update(
        gone.number, merged=None, assignee=gone.assignee or context.who
    )
    await state.set_state(tx, desk, gone, _state_of(back))
    if into.state is State.OPEN:
        await state.set_state(tx, desk, into, _state_of(rest))
    else:
        await refresh(tx, desk, into)
    told = render.notice(f"The mails of #{gone.number} went back to #{gone.number}.")
    key = PostKey.of_conversation(Shows.SPLIT, into.number, gone.number, now)
    await tx.posts.put(Wanted.message(key, Place.of(into.number), desk.bot, told))
    many = "its mail is" if len(back) == 1 else f"its {len(back)} mails are"
    return f"This conversation goes on here again, {many} back from #{into.number}."


async def _was_in(tx: Tx, desk: Desk, letter: Letter, number: Number) -> bool:
    """Whether a mail belonged to conversation `number`: its room shows it, or it was sent there."""
    if letter.outbound:
        return desk.tokens.read(letter.message_id) == number
    return any(each.place == Place.of(number) for each in await tx.posts.of_mail(letter.id))


async def _part(tx: Tx, gone: Number, into: Number, rest: Sequence[Letter]) -> None:
    """Take from `into` the participants who came with the mails that leave it: they could write
    into it by its Message-IDs."""
    kept = {each.sender.key for each in rest if not each.outbound}
    kept |= {who.key for each in rest if each.outbound for who in (*each.to, *each.cc)}
    came = await tx.conversations.participants(gone)
    await tx.conversations.remove_participants(into, sorted(came - kept))


def _state_of(letters: Sequence[Letter]) -> State:
    waits = bool(letters) and not letters[-1].outbound
    return State.OPEN if waits else State.ANSWERED
