"""`!stats` of one inbox, and `!report` over all inboxes: text, CSV and a chart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from bridge.chat import chart, file_event, report
from bridge.desk.command import CommandSpec
from bridge.desk.context import CommandContext, Request
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import answer_with
from bridge.model import CONTROL, Attachment, InboxId, Job, PostKey, Refused, Role, Shows, Wanted
from bridge.model.admin_task import MakeReport
from bridge.ports import Tx

PERIODS = {"week": 7, "month": 30}


def midnight(now: float, days: int) -> float:
    """When the day `days` ago began in the server's time zone, epoch seconds."""
    today = time.localtime(now)  # a day may have 23 hours, or 25
    return time.mktime((today.tm_year, today.tm_mon, today.tm_mday - days, 0, 0, 0, 0, 0, -1))


async def _counted(tx: Tx, inbox: InboxId, name: str, since: float) -> report.Counted:
    numbers = tx.numbers
    return report.Counted(
        name, await numbers.received(inbox, since), await numbers.answered(inbox, since),
        await numbers.first_answers(inbox, since), await numbers.resolved(inbox, since),
    )  # fmt: skip


async def stats(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!stats`: show the numbers of this inbox for today and for the last seven days."""
    inbox, now = context.inbox, desk.now()
    waiting, free, _ = await tx.conversations.waiting(inbox.id, 0)
    today = await _counted(tx, inbox.id, inbox.name, midnight(now, 0))
    week = await _counted(tx, inbox.id, inbox.name, midnight(now, 6))
    has = await tx.conversations.open_by_agent(inbox.id)
    sent = Counter(each.agent for each in week.answered)
    away = await tx.agents.away()
    agents = [
        f"{mxid}: {has.get(mxid, 0)} open, {sent[mxid]} answered{' · away' * (mxid in away)}"
        for mxid in sorted({*await tx.rooms.agents(inbox.id), *has})
        if mxid != desk.bot
    ]
    return report.stats(inbox.name, waiting, free, today, week, agents)


async def order(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!report week|month`: add a job that makes the report, as its files must be uploaded."""
    period = asked.rest.strip().casefold()
    if period not in PERIODS:
        raise Refused("Say !report week or !report month.")
    if not desk.settings.inboxes:
        raise Refused("No inbox yet; !inbox add begins one.")
    await tx.jobs.add(MakeReport(asked.event.id, period=period))
    return "Counting …"


async def make(desk: Desk, job: Job[MakeReport]) -> None:
    """Make the report and show its text, table and chart; after a crash all are made again."""
    period, event, now = job.task.period, job.task.event, desk.now()
    days = PERIODS[period]
    since = midnight(now, days - 1)
    async with desk.store.reading() as tx:
        counted = [
            await _counted(tx, inbox.id, inbox.name, since)
            for inbox in desk.settings.inboxes.values()
        ]
    first, last = (time.strftime("%d %b", time.localtime(at)) for at in (since, now))
    title = f"Last {days} days, {first} to {last}"
    picture = await asyncio.to_thread(chart.draw, title, _days(counted, since, now, days))
    files = []
    stamp = time.strftime("%Y-%m-%d", time.localtime(now))
    for type_, data in (("image/png", picture), ("text/csv", report.table(counted))):
        name = f"report-{period}-{stamp}.{type_.partition('/')[2]}"
        mxc = await desk.chat.upload_media(name, type_, data)
        content = file_event.content(Attachment(0, name, type_, len(data)), mxc, len(data))
        if type_ == "image/png":
            content["info"] |= {"w": chart.WIDTH, "h": chart.HEIGHT}
        files.append(content)
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        await answer_with(tx, desk, CONTROL, event, report.text(title, counted))
        for number, content in enumerate(files):
            key = PostKey.other(Shows.REPORT, event, number)
            await tx.posts.put(Wanted.message(key, CONTROL, desk.bot, content))


def _days(counted: list[report.Counted], since: float, now: float, days: int) -> list[chart.Day]:
    """Mails received and answered on each day, all inboxes together."""

    def name(at: float) -> str:
        return time.strftime("%d %b", time.localtime(at))

    came = Counter(name(each.at) for inbox in counted for each in inbox.received)
    went = Counter(name(each.at) for inbox in counted for each in inbox.answered)
    names = [name(midnight(now, back)) for back in range(days - 1, -1, -1)]
    return [chart.Day(each, came[each], went[each]) for each in names]


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "stats",
        Role.QUEUE,
        "",
        "Show who is waiting, how much came in and was answered, and how long that took.",
        stats,
    ),
)


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "report",
        Role.CONTROL,
        "week|month",
        "Show how much came in, was answered and was resolved, and how long that took, by "
        "inbox and tag: text, table and picture.",
        order,
    ),
)
