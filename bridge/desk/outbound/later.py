"""`!later`: an email that leaves at a time that an agent names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bridge.chat import command
from bridge.chat.when import USAGE, epoch, moment, when
from bridge.desk.command import CommandSpec, Needs
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.outbound import decisions, dispatch, reply
from bridge.model import (
    PREVIEWED_DELIVERIES,
    STOPPABLE_DELIVERIES,
    Delivery,
    DeliveryState,
    Form,
    Job,
    PostKey,
    Refused,
    Role,
    Shows,
)
from bridge.model.delivery import Plan
from bridge.model.task import Deliver
from bridge.ports import Tx


async def later(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!later TIME`: with a text on the lines below, answer with it then; as a reply to a message,
    send that message then; as a reply to a draft, or alone, send the draft then."""
    first, _, text = context.rest.partition("\n")
    plan = _plan(desk, context, first)
    if text.strip() or command.is_file(context.event.content):
        answer = await reply.of_text(tx, desk, context)
        return await reply.order(tx, desk, context, replace(answer, plan=plan))
    waiting = await _waiting(tx, context)
    if waiting is None:
        answer = await reply.of_message(tx, desk, context)
        return await reply.order(tx, desk, context, replace(answer, plan=plan))
    return await _replan(tx, desk, context, waiting, plan)


def _plan(desk: Desk, context: CommandContext, text: str) -> Plan:
    """The time that a text names, in the agent's zone. Raises Refused where it names none."""
    zone = context.zone or context.inbox.zone
    now = datetime.fromtimestamp(desk.now(), UTC).astimezone(zone)  # None: the server's
    at = when(text, now)
    if at is None:
        raise Refused(USAGE.replace("until when", "when"))
    named = "" if zone is None else f" ({zone})"
    return Plan(epoch(at, zone), f"⏰ leaves {moment(at, now)}{named}")


async def _waiting(tx: Tx, context: CommandContext) -> Delivery | None:
    """The draft, or the mail that waits, that is meant; None where it points at another message.
    Raises Refused where it points at nothing, and nothing waits."""
    if context.points_at is None:
        return await decisions.delivery_meant(tx, context, None, STOPPABLE_DELIVERIES)
    post = await tx.posts.by_event(context.points_at)
    is_status = post is not None and post.key.shows is Shows.STATUS
    live = await tx.deliveries.live(context.points_at)
    if not is_status and live is None:
        return None
    return await decisions.delivery_meant(tx, context, context.points_at, STOPPABLE_DELIVERIES)


async def _replan(
    tx: Tx, desk: Desk, context: CommandContext, delivery: Delivery, plan: Plan
) -> str | None:
    """Let a mail that did not leave yet leave at another time. For a draft, that is a yes."""
    if delivery.state not in STOPPABLE_DELIVERIES:
        raise Refused("It is too late for that: it left, or is being sent.")
    if delivery.state in (*PREVIEWED_DELIVERIES, DeliveryState.ASKING):
        await decisions.agree(tx, desk, context, delivery, plan)
        return None
    delivery = await tx.deliveries.update(
        delivery.id, run_at=plan.at, planned_for=plan.at, detail=plan.text, created_at=desk.now()
    )
    await tx.jobs.drop(Deliver(delivery.id))  # it must keep none back that is behind it now
    await dispatch.schedule_attempt(tx, delivery)
    await dispatch.show_status(tx, desk, delivery)
    return None


async def waits(desk: Desk, job: Job[Deliver], delivery: Delivery) -> bool:
    """Whether a planned mail does not leave now: it is not yet its time, whatever woke its job, or
    somebody wrote since it was planned, and that is asked about."""
    async with desk.store.transaction("verdict") as tx:
        current = await tx.deliveries.get(delivery.id)
        if current.state is not DeliveryState.WAITING:
            return False
        if await is_early(tx, desk, job, current):
            return True
        asked = await question(tx, desk, current)
        if asked:
            await tx.jobs.finish(job)
            await ask(tx, desk, current, asked)
    return bool(asked)


async def is_early(tx: Tx, desk: Desk, job: Job[Deliver], delivery: Delivery) -> bool:
    """Whether it is not yet the time of a planned mail; then its attempt is scheduled again."""
    if delivery.state is not DeliveryState.WAITING or delivery.planned_for <= desk.now():
        return False
    await tx.jobs.finish(job)
    await dispatch.schedule_attempt(tx, delivery)
    return True


async def question(tx: Tx, desk: Desk, delivery: Delivery) -> str:
    """What is to be asked before a planned mail leaves: somebody wrote since it was planned. Empty
    for nothing."""
    for letter in await tx.mails.of_conversation(delivery.conversation):
        by_hand = letter.outbound and desk.tokens.read_delivery(letter.message_id) is None
        if by_hand and letter.at > delivery.created_at:
            return "Somebody answered from another mail program after this was planned. Send it?"
    latest = await tx.mails.latest(delivery.conversation)
    if latest is not None and latest.at > delivery.created_at:
        return f"{latest.sender.name or latest.sender.spec} wrote after this was planned. Send it?"
    answered = await tx.deliveries.newest(
        delivery.conversation, (DeliveryState.SENT, DeliveryState.UNKNOWN), but=Form.AUTOMATIC
    )
    left_since = answered is not None and (answered.finished_at or 0.0) > delivery.created_at
    if answered is not None and left_since and answered.agent != delivery.agent:
        return f"{answered.agent} answered after this was planned. Send it?"
    return ""


async def ask(tx: Tx, desk: Desk, delivery: Delivery, asked: str) -> None:
    """Ask whether a planned mail shall leave, and notify who planned it."""
    delivery = await tx.deliveries.update(
        delivery.id, state=DeliveryState.ASKING, question=asked, planned_for=0.0, detail=""
    )
    await dispatch.show_status(tx, desk, delivery)
    await _mention(tx, desk, delivery, f"{asked} ✅ on its status sends it, ❌ discards it.")


async def tell_of(tx: Tx, desk: Desk, delivery: Delivery) -> None:
    """Notify who planned a mail that it did not leave when its time came; its status says why."""
    if delivery.planned_for:
        await _mention(tx, desk, delivery, "the email that you planned did not leave: see above.")


async def _mention(tx: Tx, desk: Desk, delivery: Delivery, text: str) -> None:
    content = desk.message(f"⏰ {delivery.agent}, {text}")
    content["m.mentions"] = {"user_ids": [delivery.agent]}
    key = PostKey.of_delivery(Shows.PLANNED, delivery.id)
    key = replace(key, text=f"{key.text}:{int(desk.now())}")  # each time a message of its own
    await tx.posts.put(dispatch.beside(desk, delivery, key, content))


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "later",
        Role.CONVERSATION,
        "TIME",
        "Email the text on the lines below at a time, like tomorrow 9:00. As a reply to a message: "
        "email that message then; as a reply to a draft: send it then. It is asked about again if "
        "somebody writes before.",
        later,
        needs=frozenset({Needs.TARGET, Needs.TIME_ZONE}),
    ),
)
