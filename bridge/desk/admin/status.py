"""`!status`, and the alarms that the control room gets: failed jobs, mail accounts, disk."""

from __future__ import annotations

from bridge.chat import admin as texts
from bridge.chat import diagnosis, render
from bridge.chat.diagnosis import ProblemKind, Trouble
from bridge.config.inbox import Inbox
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.outbound import outage
from bridge.desk.outbound.dispatch import show_status
from bridge.desk.rooms.refresh import answer, tell_control
from bridge.mail.limits import size
from bridge.model import DeliveryState, Job, PostKey, Role, Shows
from bridge.model.admin_task import TellOfFailure
from bridge.model.grant import GrantState, grant_name
from bridge.model.job import TITLES
from bridge.model.task import Deliver, HandleEvent, ReceiveMail
from bridge.ports import Tx

DISK_TOLD = "disk-told"
UNUSABLE = "unusable:"
"""Prefix of the settings with problems of inboxes that the admins were told of."""
RARER = " The next tries come at longer intervals, up to 15 min."
ALARM_AFTER = 600.0
"""Seconds without a successful check after which the alarm of a mail account is raised."""


async def status(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!status`: show the homeserver, the jobs and each inbox, one line each."""
    now = desk.now()
    counts = await tx.jobs.counts()
    waiting = sum(n for kind, n in counts.items() if kind not in ("dead", "event"))
    oldest = await tx.jobs.oldest_due(now)
    age = f", the oldest for {texts.duration(now - oldest)}" if waiting and oldest else ""
    lines = [
        f"Homeserver {desk.settings.homeserver.url}: answers",
        f"Waiting jobs: {waiting}{age}; failed permanently: {counts.get('dead', 0)}",
    ]
    for inbox in desk.settings.inboxes.values():
        total, free, _ = await tx.conversations.waiting(inbox.id, 0)
        lines.append(
            f"{inbox.name} <{inbox.address}>: {await _intake(tx, inbox, now)};"
            f" {await _sending(tx, desk, inbox)}{total} waiting, {free} not taken"
        )
    lines += [f"{name}: cannot be used: {why}" for name, why in desk.directory.problems.items()]
    if counts.get("dead"):
        prefix = desk.settings.command_prefix
        lines.append(f"{prefix}queue shows what failed, {prefix}retry gives it new tries.")
    return "\n".join(lines)


async def _intake(tx: Tx, inbox: Inbox, now: float) -> str:
    if inbox.paused:
        return "paused"
    if not inbox.receives:
        return "only sends"
    found = []
    for way in inbox.sources:
        health = await tx.settings.health(way.account)
        if health is None:
            found.append("not checked yet")
            continue
        good_at, problem, _ = health
        since = render.clock(good_at, now)
        if problem:
            found.append(f"cannot be read ({problem}); no good check since {since}")
        else:
            found.append(f"checked {since}{await _slow(tx, way.account)}")
    if inbox.http is not None or not inbox.sources:
        last = await tx.settings.last_push(inbox.id)
        when = f"the last {render.clock(last, now)}" if last else "none came yet"
        found.append(f"mail is brought to it, {when}")
    return ", ".join(found)


async def _sending(tx: Tx, desk: Desk, inbox: Inbox) -> str:
    """What keeps an inbox from sending, as a part of its line; empty for nothing."""
    problem = None
    if inbox.smtp is not None:
        problem = await tx.sending.get(desk.settings.sending_account(inbox))
    return f"{outage.line(desk, problem)}; " if problem is not None else ""


async def _slow(tx: Tx, account: str) -> str:
    """What keeps mail of an account back, as the end of a sentence."""
    polls = await tx.settings.value(f"polls:{account}")
    held, reason = await tx.held.of_account(account)
    text = f", new mail is seen within {polls} s" if polls else ""
    if held:
        mails = "1 mail is" if held == 1 else f"{held} mails are"
        text += f", {mails} not given by the server yet ({reason}) and asked for again"
    return text


async def tell_failure(desk: Desk, telling: Job[TellOfFailure]) -> None:
    """Tell the admins that a job failed permanently, and the room of its mail or message, too."""
    prefix = desk.settings.command_prefix
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(telling)
        job = await tx.jobs.dead_one(telling.task.job)
        # it was retried meanwhile; or it posts to the control room, so that telling would fail, too
        if job is None or job.lane == "control:out":
            return
        what = f"{TITLES.get(job.kind, job.kind)} (job {job.id}, {job.lane})"
        cure = f"Nothing is lost: {prefix}retry {job.id} gives it new tries."
        if isinstance(job.task, ReceiveMail):
            cure = f"Its bytes are kept: {prefix}quarantine show {job.id} shows what it is."
        text = f"⚠️ {what[0].upper()}{what[1:]} failed three times: {job.error[:500]}\n{cure}"
        await tell_control(tx, desk, PostKey.other(Shows.DEAD, job.id, telling.task.leases), text)
        if isinstance(job.task, Deliver):
            delivery = await tx.deliveries.get(job.task.delivery)
            if delivery.state in (DeliveryState.WAITING, DeliveryState.SENDING):
                detail = "the bridge could not send it; the admins were told"
                await show_status(tx, desk, await tx.deliveries.update(delivery.id, detail=detail))
        if isinstance(job.task, HandleEvent):
            event = await tx.events.get(job.task.event)
            room = await tx.rooms.known(event.room) if event is not None else None
            if event is not None and room is not None and event.type == "m.room.message":
                text = "That did not work; the admins were told."
                await answer(tx, desk, room.place, event.id, text)


async def watch(desk: Desk) -> None:
    """Raise or end the alarms of the disk and of each mail account; called periodically."""
    await _watch_disk(desk)
    await _watch_settings(desk)
    await outage.watch(desk)
    now = desk.now()
    for account, inboxes in desk.settings.accounts().items():
        if all(inbox.paused for inbox in inboxes):
            continue
        poll = max(way.poll for each in inboxes for way in each.sources if way.account == account)
        async with desk.store.transaction("told") as tx:
            health = await tx.settings.health(account)
            if health is None:
                continue
            good_at, problem, told_at = health
            names = ", ".join(inbox.name for inbox in inboxes)
            stale = now - good_at > max(ALARM_AFTER, 3.0 * poll)
            if stale and not told_at:
                await tx.settings.set_alarm(account, now)
                await tell_control(
                    tx, desk, PostKey.other(Shows.ALARM, account, int(now)),
                    f"⚠️ {names}: no successful check since {render.clock(good_at, now)}."
                    f" {problem or 'The mail server gives no answer'}. Mail waits in the mailbox"
                    " and is taken when it works again.",
                )  # fmt: skip
            elif told_at and not problem and not stale:
                await tx.settings.set_alarm(account, 0.0)
                await tell_control(
                    tx, desk, PostKey.other(Shows.ALARM_OVER, account, int(told_at)),
                    f"✅ {names}: the mailbox is checked again.",
                )  # fmt: skip


async def _watch_settings(desk: Desk) -> None:
    """Tell the admins, once, of an inbox set up by chat that cannot be used any more, as after a
    change of config.yaml; and when it can."""
    problems = desk.directory.problems
    async with desk.store.reading() as tx:
        told = await tx.settings.values(UNUSABLE)
    wanted = {f"{UNUSABLE}{name}": problem for name, problem in problems.items()}
    for name in {*told, *wanted}:
        if told.get(name) == wanted.get(name):
            continue
        inbox = name.removeprefix(UNUSABLE)
        async with desk.store.transaction("told") as tx:
            text, shows = f"✅ Inbox {inbox} can be used again.", Shows.ALARM_OVER
            await tx.settings.drop_value(name)
            if name in wanted:
                await tx.settings.set_value(name, wanted[name])
                shows = Shows.ALARM
                text = (f"⚠️ Inbox {inbox} cannot be used: {wanted[name]}. Its mail waits in the"
                        " mailbox, and nothing is sent.")  # fmt: skip
            await tell_control(tx, desk, PostKey.other(shows, name, int(desk.now())), text)


async def _watch_disk(desk: Desk) -> None:
    """Tell the admins once when intake stops because the disk is nearly full, and once when it
    starts again."""
    free, kept = desk.store.free_space(), desk.settings.limits.free_disk
    if free is None:
        return
    async with desk.store.reading() as tx:
        told = await tx.settings.value(DISK_TOLD)
    is_full = free < kept
    # the alarm ends only at 125 % of the limit, so that it does not flap
    if is_full is (told is not None) or (told is not None and free < kept + kept // 4):
        return
    async with desk.store.transaction("told") as tx:
        now = desk.now()
        if is_full:
            await tx.settings.set_value(DISK_TOLD, str(now))
            text = (
                f"⚠️ The disk of the database has {size(free)} left. Mail waits in the mailboxes"
                f" until there is more than {size(kept)} (free_disk in config.yaml)."
            )
        else:
            await tx.settings.drop_value(DISK_TOLD)
            text = f"✅ The disk of the database has {size(free)} left; mail is taken in again."
        await tell_control(tx, desk, PostKey.other(Shows.DISK, is_full, int(now)), text)


async def refused_login(desk: Desk, account: str, text: str) -> None:
    """Tell the control room that the log-in to a mail account is refused; once, until the log-in
    works again."""
    async with desk.store.transaction("told") as tx:
        health = await tx.settings.health(account)
        inboxes = desk.settings.accounts().get(account, ())
        if (health is not None and health[2]) or not inboxes:
            return
        (way,) = (way for way in inboxes[0].sources if way.account == account)
        grant = await tx.grants.get(grant_name(way.oauth, way.user))
        if grant is not None and grant.state is not GrantState.GOOD:
            return  # told where the grant ended
        await tx.settings.set_alarm(account, desk.now())
        kind = ProblemKind.NO_ACCESS if way.oauth and grant is None else ProblemKind.LOGIN
        why = diagnosis.text(inboxes[0], way, Trouble(kind, text))
        names = ", ".join(each.name for each in inboxes)
        await tell_control(
            tx, desk, PostKey.other(Shows.LOGIN, account, int(desk.now())),
            f"⚠️ {names}: {why}{'' if kind is ProblemKind.NO_ACCESS else RARER}",
        )  # fmt: skip


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "status",
        Role.CONTROL,
        "",
        "Show the homeserver, every inbox and what is waiting.",
        status,
    ),
)
