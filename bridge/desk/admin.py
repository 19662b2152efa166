"""The control room: `!status`, `!retry`, `!help`, and what it is told without asking."""

from __future__ import annotations

from bridge.chat import command, render
from bridge.desk.desk import Desk
from bridge.desk.refresh import answer, tell_control
from bridge.desk.reply import show
from bridge.model import DeliveryState, Job
from bridge.ports import Tx

ALARM_AFTER = 600.0
"""Seconds without a good check after which an inbox's alarm is raised."""


async def status(tx: Tx, desk: Desk) -> str:
    """The answer to `!status`: one line for each thing that can be wrong."""
    now = desk.now()
    counts = await tx.jobs.counts()
    waiting = sum(n for kind, n in counts.items() if kind not in ("dead", "event"))
    lines = [
        f"Homeserver {desk.settings.homeserver.url}: answers",
        f"Waiting jobs: {waiting}, failed for good: {counts.get('dead', 0)}",
    ]
    for inbox in desk.settings.inboxes.values():
        total, free, _ = await tx.conversations.waiting(inbox.id, 0)
        lines.append(
            f"{inbox.name} <{inbox.address}>: {await _intake(tx, desk, inbox.id, now)};"
            f" {total} waiting, {free} not taken"
        )
    for job, kind, error in (await tx.jobs.dead())[:10]:
        lines.append(f"Failed: job {job} ({kind}): {error[:200]}")
    if counts.get("dead"):
        lines.append(f"{desk.settings.command_prefix}retry gives what failed new tries.")
    return "\n".join(lines)


async def _intake(tx: Tx, desk: Desk, inbox: str, now: float) -> str:
    settings = desk.settings.inboxes[inbox]  # type: ignore[index]  # InboxId is a str
    if settings.paused:
        return "paused"
    if settings.imap is None:
        return "no incoming server"
    health = await tx.keep.health(settings.imap.account)
    if health is None:
        return "not checked yet"
    good_at, problem, _ = health
    if problem:
        return f"cannot be read ({problem}); no good check since {render.clock(good_at, now)}"
    return f"checked {render.clock(good_at, now)}"


async def retry(tx: Tx) -> str:
    revived = await tx.jobs.revive()
    return f"{revived} failed jobs get new tries." if revived else "Nothing had failed for good."


def help_text(room: str, rest: str, prefix: str) -> str:
    """`!help`, or `!help COMMAND`, for one kind of room."""
    name = rest.split()[0].lower().removeprefix(prefix) if rest.split() else ""
    specs = [spec for spec in command.TABLE if spec.room == room]
    if name:
        found = command.spec(name, room)
        if found is None:
            return f"No command {prefix}{name} here; {prefix}help lists them."
        return f"{prefix}{found.usage}\n{found.help}"
    lines = [f"{prefix}{spec.usage} – {spec.help}" for spec in specs]
    if room == "conversation":
        lines.append("Talk that is no command stays in this room. Reactions do the same:")
        lines += [f"{emoji} {meaning}" for emoji, meaning in command.REACTIONS]
    return "\n".join(lines)


async def bury(desk: Desk, job: Job, error: str) -> None:
    """Tell people that a job failed for good; nothing of it is lost."""
    if job.lane == "control:out":
        return  # telling of it would be the next one to die
    prefix = desk.settings.command_prefix
    async with desk.store.transaction("alarm") as tx:
        await tell_control(
            tx, desk, f"dead:{job.id}:{job.leases}",
            f"⚠️ {job.kind} job {job.id} ({job.lane}) failed three times: {error[:500]}\n"
            f"Nothing is lost: {prefix}retry here gives it new tries.",
        )  # fmt: skip
        if job.kind == "deliver":
            delivery = await tx.deliveries.get(job.payload["delivery"])
            if delivery.state in (DeliveryState.WAITING, DeliveryState.SENDING):
                detail = "the bridge could not send it; the admins were told"
                await show(tx, desk, await tx.deliveries.update(delivery.id, detail=detail))
        if job.kind == "event":
            event = await tx.events.get(job.payload["event"])
            place = await tx.rooms.place(event.room) if event is not None else None
            if event is not None and place is not None and event.type == "m.room.message":
                text = "That did not work; the admins were told."
                await answer(tx, desk, event.room, event.id, text)


async def watch(desk: Desk) -> None:
    """Raise or end the alarm of each mail account; called now and then."""
    now = desk.now()
    for account, inboxes in desk.settings.accounts().items():
        if all(inbox.paused for inbox in inboxes):
            continue
        poll = max(inbox.imap.poll for inbox in inboxes if inbox.imap is not None)
        async with desk.store.transaction("alarm") as tx:
            health = await tx.keep.health(account)
            if health is None:
                continue
            good_at, problem, told_at = health
            names = ", ".join(inbox.name for inbox in inboxes)
            stale = now - good_at > max(ALARM_AFTER, 3.0 * poll)
            if stale and not told_at:
                await tx.keep.tell(account, now)
                await tell_control(
                    tx, desk, f"alarm:{account}:{int(now)}",
                    f"⚠️ {names}: no successful check since {render.clock(good_at, now)}."
                    f" {problem or 'The mail server gives no answer'}. Mail waits in the mailbox"
                    " and is taken when it works again.",
                )  # fmt: skip
            elif told_at and not problem and not stale:
                await tx.keep.tell(account, 0.0)
                await tell_control(
                    tx, desk, f"alarm-over:{account}:{int(told_at)}",
                    f"✅ {names}: the mailbox is checked again.",
                )  # fmt: skip


async def refused_login(desk: Desk, account: str, text: str) -> None:
    """Tell the control room once, until the log-in works again, that a mailbox lets us not in."""
    async with desk.store.transaction("alarm") as tx:
        health = await tx.keep.health(account)
        if health is not None and health[2]:
            return
        await tx.keep.tell(account, desk.now())
        names = ", ".join(each.name for each in desk.settings.accounts().get(account, ()))
        await tell_control(
            tx, desk, f"login:{account}:{int(desk.now())}",
            f"⚠️ {names}: the mail server refuses the log-in of {account} ({text}). Correct user and"
            " password in config.yaml and restart; two-factor log-in needs an app password."
            " The next tries come at longer intervals, up to 15 min.",
        )  # fmt: skip
