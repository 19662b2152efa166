"""Outgoing servers that cannot be used: their mails wait together, and admins are told.

An account of a server that cannot be reached, or refuses our log-in, is noted with the next try.
Until that log-in works, its mails wait without an attempt of their own.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import diagnosis, render
from bridge.chat.diagnosis import LASTING, ProblemKind, Trouble
from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.outbound.outcome import next_try, settle
from bridge.desk.rooms.refresh import tell_control
from bridge.model import (
    Delivery,
    DeliveryState,
    Job,
    PostKey,
    RecipientStatus,
    SendingProblem,
    Shows,
)
from bridge.model.grant import GrantState, grant_name
from bridge.model.task import Deliver, TrySending
from bridge.ports import Tx

TOLD_AFTER = 600.0
"""Seconds after which admins are told of a problem that may pass by itself."""


async def holds(
    tx: Tx,
    desk: Desk,
    job: Job[Deliver],
    inbox: Inbox,
    delivery: Delivery,
    problem: SendingProblem,
) -> bool:
    """Make a delivery wait with the others of a server that cannot be used. False where the next
    try is due: then this delivery is the try."""
    if problem.next_at <= desk.now():
        await _claim(tx, desk, problem)
        return False
    await _wait(tx, desk, job, inbox, delivery, problem)
    return True


async def failed(
    desk: Desk, job: Job[Deliver], inbox: Inbox, delivery: Delivery, trouble: Trouble
) -> None:
    """After an attempt that did not get as far as the mail: it waits with the others. `delivery` is
    as it was before the attempt, which does not count."""
    async with desk.store.transaction("verdict") as tx:
        problem = await _note(tx, desk, inbox, trouble)
        await _wait(tx, desk, job, inbox, delivery, problem)


async def try_again(desk: Desk, job: Job[TrySending]) -> None:
    """Log in again without a mail. Where that works, the mails that wait leave."""
    account = job.task.account
    inboxes = desk.settings.sending_through(account)
    used = [inbox for inbox in inboxes if not inbox.paused]
    async with desk.store.transaction("told") as tx:
        problem = await tx.sending.get(account)
        if problem is None or not used:
            await tx.jobs.finish(job)
            await (tx.sending.end(account) if inboxes else works(tx, desk, account))
            return
        if problem.next_at > desk.now():  # a mail tried meanwhile
            await tx.jobs.finish(job)
            await tx.jobs.add(job.task, run_after=problem.next_at)
            return
        await _claim(tx, desk, problem)
    trouble = await _trouble(desk, used[0])
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        if trouble is None:
            await works(tx, desk, account)
        elif await tx.sending.get(account) is not None:
            await _note(tx, desk, used[0], trouble)


async def try_at_start(desk: Desk) -> None:
    """Try every server again: a restart may have brought it other settings."""
    async with desk.store.transaction("settings") as tx:
        for problem in await tx.sending.all():
            await try_now(tx, desk, problem)


async def try_now(tx: Tx, desk: Desk, problem: SendingProblem) -> None:
    """Let the next try be now. One that a person wants makes the following ones no rarer."""
    tries = max(0, problem.tries - 1)
    await tx.sending.put(replace(problem, next_at=desk.now(), tries=tries))
    await tx.jobs.reschedule(TrySending(problem.account), desk.now())


async def _claim(tx: Tx, desk: Desk, problem: SendingProblem) -> None:
    """Note that the next try is made now: one counts, however many mails wait."""
    tries = problem.tries + 1
    claimed = replace(problem, tries=tries, next_at=desk.now() + next_try(tries))
    await tx.sending.put(claimed)
    await tx.jobs.reschedule(TrySending(problem.account), claimed.next_at)


async def works(tx: Tx, desk: Desk, account: str) -> None:
    """After a log-in to an account: if it could not be used before, its mails leave now."""
    problem = await tx.sending.get(account)
    if problem is None:
        return
    inboxes, released = await _end(tx, desk, account)
    if problem.is_told and inboxes:
        mails = {0: "", 1: " 1 mail that waited leaves now."}.get(
            released, f" {released} mails that waited leave now."
        )
        await tell_control(
            tx, desk, PostKey.other(Shows.ALARM_OVER, f"smtp:{account}", int(problem.since)),
            f"✅ {_names(inboxes)}: mail can be sent again.{mails}",
        )  # fmt: skip


async def _end(tx: Tx, desk: Desk, account: str) -> tuple[list[Inbox], int]:
    """Forget what is wrong with an account. Returns its inboxes, and how many mails leave now."""
    await tx.sending.end(account)
    await tx.jobs.drop(TrySending(account))
    inboxes, released = desk.settings.sending_through(account), 0
    # of an account that nobody uses any more: it is not known whose mails waited for it
    for inbox in inboxes or desk.settings.inboxes.values():
        released += await _release(tx, desk, inbox)
    return inboxes, released


async def _release(tx: Tx, desk: Desk, inbox: Inbox) -> int:
    """Let the deferred mails of an inbox be attempted now. Returns how many there are."""
    now, released = desk.now(), 0
    for delivery in await tx.deliveries.under_way(inbox.id):
        if delivery.state is DeliveryState.DEFERRED:
            await tx.deliveries.update(delivery.id, run_at=now)
            released += await tx.jobs.reschedule(Deliver(delivery.id), now)
    return released


async def forget(tx: Tx, desk: Desk, inbox: Inbox) -> None:
    """After the settings of an outgoing server changed: what was wrong with it before says nothing
    any more. `inbox` is as it was before."""
    if inbox.smtp is None:
        return
    account = desk.settings.sending_account(inbox)
    problem = await tx.sending.get(account)
    if problem is None:
        return
    inboxes, _ = await _end(tx, desk, account)
    if problem.is_told:
        await tell_control(
            tx, desk, PostKey.other(Shows.ALARM_OVER, f"smtp:{account}", int(problem.since)),
            f"{_names(inboxes)}: the outgoing server has new settings; what waits is tried now.",
        )  # fmt: skip


async def watch(desk: Desk) -> None:
    """Tell of servers that have been away for some time; called periodically."""
    async with desk.store.reading() as tx:
        problems = await tx.sending.all()
    for problem in problems:
        if problem.is_told or desk.now() - problem.since < TOLD_AFTER:
            continue
        async with desk.store.transaction("told") as tx:
            current = await tx.sending.get(problem.account)
            if current is not None and not current.is_told and not await _ended(tx, desk, current):
                await _tell(tx, desk, current)


def line(desk: Desk, problem: SendingProblem, *, named: bool = False) -> str:
    """What is wrong with an outgoing server, for admins: `cannot send since 12:31 (535
    wrong password), next try 13:31`."""
    now = desk.now()
    since, next_ = render.clock(problem.since, now), render.clock(problem.next_at, now)
    who = f"{_names(desk.settings.sending_through(problem.account))} " if named else ""
    return f"{who}cannot send since {since} ({problem.said[:200]}), next try {next_}"


async def _trouble(desk: Desk, inbox: Inbox) -> Trouble | None:
    try:
        await desk.sender.check(inbox)
    except Trouble as trouble:
        return trouble
    return None


async def _note(tx: Tx, desk: Desk, inbox: Inbox, trouble: Trouble) -> SendingProblem:
    """Store that an account cannot be used and when it is tried again. Tells the admins at once,
    and once, of what seldom passes by itself."""
    account, now = desk.settings.sending_account(inbox), desk.now()
    before = await tx.sending.get(account)
    if before is None:
        before = SendingProblem(account, "", "", now, 1, now + next_try(1), is_told=False)
    problem = replace(before, kind=trouble.problem, said=trouble.whole)
    await tx.sending.put(problem)
    if not await tx.jobs.reschedule(TrySending(account), problem.next_at):
        await tx.jobs.add(TrySending(account), run_after=problem.next_at)
    if not problem.is_told and trouble.problem in LASTING and not await _ended(tx, desk, problem):
        await _tell(tx, desk, problem)
    return problem


async def _ended(tx: Tx, desk: Desk, problem: SendingProblem) -> bool:
    """Whether the problem is that an access ended, which was told where it ended."""
    inboxes = desk.settings.sending_through(problem.account)
    smtp = inboxes[0].smtp if inboxes else None
    if smtp is None or problem.kind != ProblemKind.NO_ACCESS:
        return False
    grant = await tx.grants.get(grant_name(smtp.oauth, smtp.user))
    return grant is not None and grant.state is GrantState.ENDED


async def _tell(tx: Tx, desk: Desk, problem: SendingProblem) -> None:
    inboxes = desk.settings.sending_through(problem.account)
    if not inboxes or inboxes[0].smtp is None:
        return
    await tx.sending.put(replace(problem, is_told=True))
    trouble = Trouble(ProblemKind(problem.kind), problem.said)
    why = diagnosis.text(inboxes[0], inboxes[0].smtp, trouble)
    await tell_control(
        tx, desk, PostKey.other(Shows.ALARM, f"smtp:{problem.account}", int(problem.since)),
        f"⚠️ {_names(inboxes)}: no mail can be sent since"
        f" {render.clock(problem.since, desk.now())}. {why} Until then mails wait here; the next"
        f" try is {render.clock(problem.next_at, desk.now())}, and !inbox test {inboxes[0].id}"
        " tries at once.",
    )  # fmt: skip


async def _wait(
    tx: Tx,
    desk: Desk,
    job: Job[Deliver],
    inbox: Inbox,
    delivery: Delivery,
    problem: SendingProblem,
) -> None:
    await tx.jobs.finish(job)
    waits = RecipientStatus.DEFERRED, problem.said
    await tx.deliveries.set_statuses(
        delivery.id, {each.address.spec: waits for each in delivery.open_recipients}
    )
    waiting = await tx.deliveries.update(
        delivery.id, run_at=problem.next_at, attempts=delivery.attempts
    )
    await settle(tx, desk, inbox, waiting)


def _names(inboxes: list[Inbox]) -> str:
    return ", ".join(inbox.name for inbox in inboxes)
