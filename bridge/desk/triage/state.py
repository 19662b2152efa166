"""Changes the state of a conversation: close, reopen, spam, snooze, and the end of a snooze."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.chat.command import TICK
from bridge.chat.when import USAGE, epoch, moment, when
from bridge.desk.command import CommandSpec, Needs, ReactionSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import refresh
from bridge.model import (
    DELIVERIES_IN_QUESTION,
    FINISHED_CONVERSATIONS,
    Conversation,
    DeliveryState,
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


async def close(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!close`: asks first while an email waits for somebody's answer; `!close anyway` does not."""
    conversation = context.conversation
    if conversation.state is State.CLOSED:
        return "It is closed already."
    if context.rest.strip().casefold() != "anyway":
        here = "here" if context.event.type != "m.reaction" else "in its room"
        await _refuse_with_open_question(tx, conversation, here)
    await set_state(tx, desk, context.conversation, State.CLOSED)
    if context.event.type == "m.reaction":  # the card shows it already
        return None
    return "Closed. A mail from the customer opens it again."


async def _refuse_with_open_question(tx: Tx, conversation: Conversation, here: str) -> None:
    """Raises Refused while an email of the conversation waits for somebody's answer. `here`: where
    to answer it."""
    waiting = await tx.deliveries.newest(conversation.number, DELIVERIES_IN_QUESTION)
    if waiting is None:
        return
    to = ", ".join(each.address.spec for each in waiting.recipients[:3])
    what = {
        DeliveryState.DRAFT: f"A draft to {to} is not sent yet",
        DeliveryState.APPROVING: f"An email to {to} still waits for its approval",
        DeliveryState.ASKING: f"An email to {to} still waits for an answer to its question",
        DeliveryState.UNKNOWN: f"Whether an email reached {to} is not known yet",
    }[waiting.state]
    says = "!yes or !retry" if waiting.state is DeliveryState.UNKNOWN else "!yes or !no"
    raise Refused(
        f"#{conversation.number} is not closed. {what}: say {says} {here}, or !close anyway, which"
        " leaves it as it is."
    )


async def reopen(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    if context.conversation.state is State.OPEN:
        return "It is open already."
    await set_state(tx, desk, context.conversation, State.OPEN)
    return "Open again."


async def spam(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!spam`: mark the conversation as spam; later mails in it do not reopen it."""
    if context.conversation.state is State.SPAM:
        return "It is spam already."
    await set_state(tx, desk, context.conversation, State.SPAM)
    return ("Marked as spam. Later mails in it are kept here and notify nobody; !reopen "
            "undoes it.")  # fmt: skip


async def snooze(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!snooze 2d`: take it off the list until then, or until the customer writes."""
    named = context.zone or context.inbox.zone
    now = datetime.fromtimestamp(desk.now(), UTC).astimezone(named)  # None: the server's
    until = when(context.rest, now)
    if until is None:
        raise Refused(USAGE)
    await set_state(tx, desk, context.conversation, State.SNOOZED, epoch(until, named))
    zone = "" if named is None else f" ({named})"
    return (f"Snoozed until {moment(until, now)}{zone}. A mail from the customer, or !reopen, wakes"
            " it before.")  # fmt: skip


async def wake(desk: Desk, job: Job[Wake]) -> None:
    """End a snooze: open the conversation again and notify its assignee."""
    number = job.task.number
    async with desk.store.transaction("event") as tx:
        await tx.jobs.finish(job)
        conversation = await tx.conversations.get(number)
        if conversation.state is not State.SNOOZED or conversation.snoozed_until != job.task.until:
            return
        conversation = await set_state(tx, desk, conversation, State.OPEN)
        whom = f", {conversation.assignee}" if conversation.assignee else ""
        content = desk.message(f"⏰ The snooze is over{whom}.")
        if conversation.assignee:
            content["m.mentions"] = {"user_ids": [conversation.assignee]}
        key = PostKey.of_conversation(Shows.AWAKE, number, job.task.until)
        await tx.posts.put(Wanted.message(key, Place.of(number), desk.bot, content))


async def set_state(
    tx: Tx, desk: Desk, conversation: Conversation, state: State, until: float | None = None
) -> Conversation:
    """Set the state of a conversation and update all posts that show it. `until`: the end of a
    snooze, epoch seconds."""
    now = desk.now()
    letters = await tx.mails.of_conversation(conversation.number) if state is State.OPEN else []
    waits = bool(letters) and not letters[-1].outbound  # the newest mail is from the customer
    changed = await tx.conversations.update(
        conversation.number, state=state, changed_at=now, snoozed_until=until,
        closed_at=now if state in FINISHED_CONVERSATIONS else None,
        waiting_since=(conversation.waiting_since or now) if waits else None,
    )  # fmt: skip
    if until is not None:
        task = Wake(conversation.number, until)
        await tx.jobs.add(task, f"wake:{conversation.number}", run_after=until)
    await refresh(tx, desk, changed)
    return changed


async def reopen_for_mail(tx: Tx, conversation: Conversation, at: float) -> Conversation:
    """Open a conversation after an incoming mail; the customer waits since `at` (epoch seconds),
    or since earlier if they waited already."""
    since = conversation.waiting_since if conversation.state is State.OPEN else at
    return await tx.conversations.update(
        conversation.number,
        state=State.OPEN,
        waiting_since=since or at,
        changed_at=at,
        closed_at=None,
        snoozed_until=None,
    )


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "close",
        Role.CONVERSATION,
        "[anyway]",
        "Close the conversation, as ✅ on its card does. A mail from the customer opens it again. "
        "While an email waits for an answer of yours, it asks; anyway closes all the same.",
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
        "Mark this conversation as spam: later mails in it stay here and notify nobody. "
        "!reopen undoes it.",
        spam,
    ),
    CommandSpec(
        "snooze",
        Role.CONVERSATION,
        "TIME",
        "Put this conversation aside until TIME, like 2d, 3h, tomorrow 9:00 or monday, in "
        "the time zone of your profile. A mail from the customer brings it back earlier.",
        snooze,
        needs=frozenset({Needs.TIME_ZONE}),
    ),
)
REACTIONS = (ReactionSpec(TICK, close, Shows.CARD),)
