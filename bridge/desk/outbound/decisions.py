"""Decisions of people about a delivery: stop it, agree to it, retry it, confirm that it arrived."""

from __future__ import annotations

from bridge.chat import status
from bridge.chat.command import AGAIN, CROSS, TICK
from bridge.config.inbox import Inbox
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.desk.outbound import approval, outage
from bridge.desk.outbound.dispatch import schedule_attempt, show_status
from bridge.desk.outbound.outcome import settle
from bridge.model import (
    DELIVERIES_IN_QUESTION,
    PREVIEWED_DELIVERIES,
    RETRYABLE_DELIVERIES,
    STOPPABLE_DELIVERIES,
    Delivery,
    DeliveryChanges,
    DeliveryState,
    EventId,
    PostKey,
    RecipientStatus,
    Refused,
    Role,
    Shows,
    Transient,
)
from bridge.model.delivery import Plan
from bridge.model.task import Deliver
from bridge.ports import Tx

JUST_NOW = 5.0
"""Seconds in which a yes may arrive before we have stored that its preview is in the room."""


async def delivery_meant(
    tx: Tx, context: CommandContext, event: EventId | None, states: tuple[DeliveryState, ...]
) -> Delivery:
    """The delivery that a command means: that of the status or source message `event`, otherwise
    the newest in one of `states`. Raises Refused if there is none, or if it belongs to another
    conversation."""
    named: Delivery | None = None
    if event is not None:
        post = await tx.posts.by_event(event)
        if post is not None and post.key.shows is Shows.STATUS:
            named = await tx.deliveries.get(post.key.delivery or 0)
        else:
            named = await tx.deliveries.of_source(event)
    if named is not None:
        if named.conversation != context.conversation.number:
            raise Refused("That belongs to another conversation; nothing was done.")
        return named
    newest = await tx.deliveries.newest(context.conversation.number, states)
    if newest is None:
        raise Refused("Nothing waits for that here.")
    return newest


async def undo(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!undo`, ❌ on the status, or `!no` to a question: stop the delivery."""
    states = (*STOPPABLE_DELIVERIES, DeliveryState.DEFERRED)
    delivery = await delivery_meant(tx, context, context.points_at, states)
    return await stop(tx, desk, delivery, f"stopped by {context.who}")


async def stop(tx: Tx, desk: Desk, delivery: Delivery, why: str) -> str | None:
    """Cancel a delivery that reached nobody and is not being attempted. Returns an answer when it
    is too late."""
    if delivery.state is DeliveryState.CANCELLED:
        return None
    if delivery.state not in STOPPABLE_DELIVERIES and not delivery.waits_for_server:
        return f"Too late: {status.text(delivery, '', desk.now())}"
    await tx.jobs.drop(Deliver(delivery.id))
    delivery = await tx.deliveries.update(
        delivery.id, state=DeliveryState.CANCELLED, detail=why, finished_at=desk.now()
    )
    await show_status(tx, desk, delivery)
    return None


async def withdraw(tx: Tx, desk: Desk, inbox: Inbox, delivery: Delivery, why: str) -> None:
    """Stop all further attempts, because the inbox is removed or cannot send any more."""
    if delivery.state in STOPPABLE_DELIVERIES:
        await stop(tx, desk, delivery, why)
    elif delivery.state is DeliveryState.DEFERRED:
        await tx.jobs.drop(Deliver(delivery.id))
        left = [
            r
            for r in delivery.recipients
            if r.status in (RecipientStatus.PENDING, RecipientStatus.DEFERRED)
        ]
        await tx.deliveries.set_statuses(
            delivery.id, {r.address.spec: (RecipientStatus.FAILED, why) for r in left}
        )
        await settle(tx, desk, inbox, await tx.deliveries.get(delivery.id))


async def yes(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!yes` or ✅: send the mail that the bridge asked about; on an unconfirmed mail: note that it
    arrived."""
    delivery = await delivery_meant(tx, context, context.points_at, DELIVERIES_IN_QUESTION)
    if delivery.state is DeliveryState.UNKNOWN:
        await tx.deliveries.set_statuses(
            delivery.id,
            {
                each.address.spec: (RecipientStatus.SENT, f"confirmed by {context.who}")
                for each in delivery.recipients
                if each.status is RecipientStatus.UNKNOWN
            },
        )
        await settle(tx, desk, context.inbox, await tx.deliveries.get(delivery.id))
        return None
    if delivery.state not in (*PREVIEWED_DELIVERIES, DeliveryState.ASKING):
        raise Refused("Nothing waits for a yes there.")
    await agree(tx, desk, context, delivery)
    return None


async def agree(
    tx: Tx, desk: Desk, context: CommandContext, delivery: Delivery, plan: Plan | None = None
) -> None:
    """Send the mail after its undo time, or when it is planned for, or ask for the approval that
    its inbox requires. Raises Transient while its preview is being sent to the room."""
    now, inbox = desk.now(), context.inbox
    if delivery.state in PREVIEWED_DELIVERIES and not delivery.shown:
        raise Refused("Look at its preview first; it is not there yet, or says what is wrong.")
    if delivery.state in PREVIEWED_DELIVERIES:
        post = await tx.posts.by_key(PostKey.of_delivery(Shows.STATUS, delivery.id))
        behind = post is None or post.sent < post.version
        if behind and now - context.event.at < JUST_NOW:
            raise Transient("its preview is being brought into the room", retry_after=0.5)
        if behind or context.event.at < delivery.shown_at:
            raise Refused("It was changed just now: look at the new preview, then say yes again.")
    needed = await approval.is_needed(tx, inbox, delivery)
    if delivery.state is DeliveryState.APPROVING and needed:
        await approval.require_may_approve(tx, inbox, delivery, context.who)
    changes: DeliveryChanges = {
        "state": DeliveryState.WAITING, "created_at": now,
        "run_at": max(now + inbox.undo, plan.at if plan else delivery.planned_for),
    }  # fmt: skip
    if plan is not None:
        changes |= {"planned_for": plan.at, "detail": plan.text}
    elif delivery.planned_for > now:
        del changes["created_at"]  # what came since it was planned is asked about
    if needed:
        agreed = await approval.may_approve(tx, inbox, delivery, context.who)
        if agreed and delivery.shown:
            changes["approved_by"] = context.who
        else:
            changes["state"] = DeliveryState.APPROVING
    delivery = await tx.deliveries.update(delivery.id, **changes)
    if delivery.state is DeliveryState.WAITING:
        await schedule_attempt(tx, delivery)
    await show_status(tx, desk, delivery)


async def retry(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!retry` or 🔁: send the same bytes again, to the recipients they did not reach."""
    delivery = await delivery_meant(tx, context, context.points_at, RETRYABLE_DELIVERIES)
    if delivery.state not in RETRYABLE_DELIVERIES:
        raise Refused(f"Nothing to try again: {status.text(delivery, '', desk.now())}")
    if delivery.state is DeliveryState.DEFERRED:
        now = desk.now()
        await tx.jobs.reschedule(Deliver(delivery.id), now)
        await tx.deliveries.update(delivery.id, run_at=now)
        await _try_server(tx, desk, context.inbox)
        return None
    live = await tx.deliveries.live(delivery.source)
    if live is not None and live.id != delivery.id:
        return status.text(live, "", desk.now())
    await tx.deliveries.set_statuses(
        delivery.id,
        {
            each.address.spec: (RecipientStatus.PENDING, "")
            for each in delivery.recipients
            if not each.status.arrived
        },
    )
    now = desk.now()
    delivery = await tx.deliveries.update(
        delivery.id, state=DeliveryState.WAITING, run_at=max(now, delivery.planned_for),
        created_at=now, detail="", data_begun=False, finished_at=None,
    )  # fmt: skip
    await schedule_attempt(tx, delivery)
    await show_status(tx, desk, delivery)
    await _try_server(tx, desk, context.inbox)
    return None


async def _try_server(tx: Tx, desk: Desk, inbox: Inbox) -> None:
    """Let the next mail try an outgoing server that could not be used: an agent wants it."""
    if inbox.smtp is None:
        return
    problem = await tx.sending.get(desk.settings.sending_account(inbox))
    if problem is not None:
        await outage.try_now(tx, desk, problem)


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "undo",
        Role.CONVERSATION,
        "",
        "Stop the email that is about to leave. The same as ❌ on its status.",
        undo,
    ),
    CommandSpec(
        "yes",
        Role.CONVERSATION,
        "",
        "Answer the bridge's question with yes, as ✅ does.",
        yes,
        is_answer=True,
    ),
    CommandSpec(
        "no",
        Role.CONVERSATION,
        "",
        "Answer the bridge's question with no, as ❌ does.",
        undo,
    ),
    CommandSpec(
        "retry",
        Role.CONVERSATION,
        "",
        "Try a failed or unconfirmed email again, as 🔁 does.",
        retry,
        is_answer=True,
    ),
)
REACTIONS = (
    ReactionSpec(CROSS, undo, Shows.STATUS, "on a status or draft: stop the email, or answer no"),
    ReactionSpec(
        TICK,
        yes,
        Shows.STATUS,
        "on a status or draft: answer yes, or say that it arrived",
        is_answer=True,
    ),
    ReactionSpec(AGAIN, retry, Shows.STATUS, "on a status: try again", is_answer=True),
)
