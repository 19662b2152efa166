"""Whether a conversation is open: close, reopen, snooze, and waking up."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.chat.command import TICK
from bridge.chat.when import USAGE, moment, when
from bridge.desk.command import CommandSpec, Needs, ReactionSpec
from bridge.desk.context import Hearing
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import refresh
from bridge.model import (
    FINISHED,
    Conversation,
    Job,
    Place,
    PostKey,
    Refused,
    Role,
    Shows,
    State,
    Wanted,
)
from bridge.model.task import Wake
from bridge.ports import Tx


async def close(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    if heard.about.state is State.CLOSED:
        return "It is closed already."
    await put(tx, desk, heard.about, State.CLOSED)
    if heard.event.type == "m.reaction":  # the card says so
        return None
    return "Closed. A mail from the customer opens it again."


async def reopen(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    if heard.about.state is State.OPEN:
        return "It is open already."
    await put(tx, desk, heard.about, State.OPEN)
    return "Open again."


async def spam(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!spam`: put away, and what follows it opens nothing."""
    if heard.about.state is State.SPAM:
        return "It is spam already."
    await put(tx, desk, heard.about, State.SPAM)
    return ("Put away as spam. Mails that follow it are kept here and tell nobody; !reopen takes it"
            " back.")  # fmt: skip


async def snooze(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!snooze 2d`: out of the list until then, or until the customer writes."""
    now = datetime.fromtimestamp(desk.now(), UTC).astimezone(heard.zone)  # None: the server's
    until = when(heard.rest, now)
    if until is None:
        raise Refused(USAGE)
    await put(tx, desk, heard.about, State.SNOOZED, until.timestamp())
    zone = "" if heard.zone is None else f" ({heard.zone})"
    return (f"Snoozed until {moment(until, now)}{zone}. A mail from the customer, or !reopen, wakes"
            " it before.")  # fmt: skip


async def wake(desk: Desk, job: Job[Wake]) -> None:
    """A snooze is over: the conversation is open again, and who has it is told."""
    number = job.task.number
    async with desk.store.transaction("event") as tx:
        await tx.jobs.finish(job)
        about = await tx.conversations.get(number)
        if about.state is not State.SNOOZED or about.snoozed_until != job.task.until:
            return
        about = await put(tx, desk, about, State.OPEN)
        whom = f", {about.assignee}" if about.assignee else ""
        content = desk.message(f"⏰ The snooze is over{whom}.")
        if about.assignee:
            content["m.mentions"] = {"user_ids": [about.assignee]}
        key = PostKey.of_conversation(Shows.AWAKE, number, job.task.until)
        await tx.posts.put(Wanted.message(key, Place.of(number), desk.bot, content))


async def put(
    tx: Tx, desk: Desk, about: Conversation, state: State, until: float | None = None
) -> Conversation:
    """Give a conversation a state, everywhere it shows."""
    now = desk.now()
    letters = await tx.mails.of_conversation(about.number) if state is State.OPEN else []
    waits = bool(letters) and not letters[-1].outbound  # else we had the last word
    changed = await tx.conversations.update(
        about.number, state=state, changed_at=now, snoozed_until=until,
        closed_at=now if state in FINISHED else None,
        waiting_since=(about.waiting_since or now) if waits else None,
    )  # fmt: skip
    if until is not None:
        task = Wake(about.number, until)
        await tx.jobs.add(task, f"wake:{about.number}", run_after=until)
    await refresh(tx, desk, changed)
    return changed


async def wait_again(tx: Tx, about: Conversation, at: float) -> Conversation:
    """A mail came: the conversation is open, and its sender waits since then if not before."""
    since = about.waiting_since if about.state is State.OPEN else at
    return await tx.conversations.update(
        about.number, state=State.OPEN, waiting_since=since or at, changed_at=at, closed_at=None,
        snoozed_until=None,
    )  # fmt: skip


COMMANDS: tuple[CommandSpec[Hearing], ...] = (
    CommandSpec(
        "close",
        Role.CONVERSATION,
        "",
        "Close the conversation, as ✅ on its card does. A mail from the customer opens it again.",
        close,
    ),
    CommandSpec(
        "reopen",
        Role.CONVERSATION,
        "",
        "Open a closed conversation again.",
        reopen,
    ),
    CommandSpec(
        "spam",
        Role.CONVERSATION,
        "",
        "Put it away as spam: mails that follow it open nothing. !reopen takes it back.",
        spam,
    ),
    CommandSpec(
        "snooze",
        Role.CONVERSATION,
        "TIME",
        "Put it aside until TIME, like 2d, 3h, tomorrow 9:00 or monday, in the zone of "
        "your profile. A mail from the customer wakes it before.",
        snooze,
        needs=frozenset({Needs.TIME_ZONE}),
    ),
)
REACTIONS = (ReactionSpec(TICK, close, Shows.CARD),)
