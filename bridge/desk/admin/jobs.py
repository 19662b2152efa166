"""`!queue`, `!retry` and `!quarantine`: waiting jobs, and jobs that failed permanently."""

from __future__ import annotations

from bridge.chat import admin as texts
from bridge.desk.admin import question
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.outbound import outage
from bridge.mail.parse import headers_only, senders
from bridge.model import Address, Refused, Role, words
from bridge.model.oversight import JobStatus
from bridge.model.task import ReadEventAgain, ReceiveMail
from bridge.ports import Tx

SHOWN, MANY = 15, 10_000
Quarantined = JobStatus[ReceiveMail] | JobStatus[ReadEventAgain]
"""The kinds of jobs that are in quarantine once they are dead."""
HEAD = 10_000
"""Bytes of a quarantined mail that are parsed to show it; few, as parsing it failed before."""


async def show(tx: Tx, desk: Desk, asked: Request) -> str:
    outages = [outage.line(desk, problem, named=True) for problem in await tx.sending.all()]
    shown = texts.queue(
        await tx.jobs.counts(), await tx.jobs.waiting(SHOWN), await tx.jobs.dead(SHOWN),
        desk.now(), desk.settings.command_prefix,
    )  # fmt: skip
    return "\n".join((*outages, shown))


async def retry(tx: Tx, desk: Desk, asked: Request) -> str:
    """Retry every job that failed permanently, or the one with the given number."""
    job = _number(asked, 0) if asked.words else None
    revived = await tx.jobs.revive(job)
    if revived:
        await tx.audit.add(desk.now(), asked.who, f"failed jobs tried again: {revived}")
        some = "1 failed job gets" if revived == 1 else f"{revived} failed jobs get"
        return f"{some} new tries."
    if job is not None:
        raise Refused(f"No failed job has the number {job}; !queue shows them.")
    return "Nothing had failed permanently."


def _number(asked: Request, position: int) -> int:
    number = words.number(asked.words[position]) if len(asked.words) > position else None
    if number is None:
        raise Refused("Say which by its number, like 12.")
    return number


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    """List mails that could not be received, and Matrix events that could not be handled."""
    entries = []
    for job in await tx.jobs.dead_of(ReceiveMail, SHOWN):
        inbox, raw, _, at = await tx.mails.intake(job.task.intake)
        entries.append((job, inbox, at, _shown(await tx.mails.raw(raw))))
    parked = await tx.jobs.dead_of(ReadEventAgain, SHOWN)
    return texts.quarantine(entries, parked, desk.now(), desk.settings.command_prefix)


async def show_one(tx: Tx, desk: Desk, asked: Request) -> str:
    job = await _quarantined(tx, asked)
    if isinstance(job.task, ReadEventAgain):
        return texts.parked(job, job.task, desk.now())
    inbox, raw, _, at = await tx.mails.intake(job.task.intake)
    data = await tx.mails.raw(raw)
    return texts.quarantined(job, inbox, at, _shown(data), len(data), desk.now())


async def retry_one(tx: Tx, desk: Desk, asked: Request) -> str:
    job = await _quarantined(tx, asked)
    what = _what(job)
    await tx.jobs.revive(job.id)
    await tx.audit.add(desk.now(), asked.who, f"quarantine: retry of {what} {job.id}")
    return f"{what.capitalize()} {job.id} gets new tries."


async def drop(tx: Tx, desk: Desk, asked: Request) -> str:
    job = await _quarantined(tx, asked)
    await question.ask(tx, asked.who, question.DROP, str(job.id), desk.now())
    return texts.dropping(_what(job), job.id, desk.settings.command_prefix)


async def dropped(tx: Tx, desk: Desk, asked: Request, job: int) -> str:
    """Carry out a confirmed drop. Raises Refused where the entry is not there any more."""
    found = await _dead(tx, job)
    if found is None or not await discard(tx, found):
        raise Refused(f"Number {job} is not in quarantine any more; nothing was dropped.")
    what = _what(found)
    await tx.audit.add(desk.now(), asked.who, f"quarantine: dropped {what} {job}")
    return f"{what.capitalize()} {job} is dropped."


async def discard(tx: Tx, job: Quarantined) -> bool:
    """Delete an entry of the quarantine, a mail with its bytes. False when it is not there any
    more."""
    if not await tx.jobs.discard(job.id):
        return False
    if isinstance(job.task, ReadEventAgain):
        return True
    _, raw, _, _ = await tx.mails.intake(job.task.intake)
    await tx.erasing.empty_if_unused(raw)
    return True


async def quarantined_from(tx: Tx, address: Address) -> list[JobStatus[ReceiveMail]]:
    """The mails in quarantine that an address sent."""
    found = []
    for job in await tx.jobs.dead_of(ReceiveMail, MANY):
        _, raw, _, _ = await tx.mails.intake(job.task.intake)
        if senders(await tx.mails.raw(raw)) & {address.key}:
            found.append(job)
    return found


async def _quarantined(tx: Tx, asked: Request) -> Quarantined:
    number = _number(asked, 0)
    found = await _dead(tx, number)
    if found is None:
        raise Refused(f"Nothing in quarantine has the number {number}; !quarantine list shows all.")
    return found


async def _dead(tx: Tx, number: int) -> Quarantined | None:
    dead: list[Quarantined] = [
        *await tx.jobs.dead_of(ReceiveMail, MANY),
        *await tx.jobs.dead_of(ReadEventAgain, MANY),
    ]
    return next((job for job in dead if job.id == number), None)


def _what(job: Quarantined) -> str:
    return "mail" if isinstance(job.task, ReceiveMail) else "event"


def _shown(raw: bytes) -> tuple[str, str, str]:
    """(sender, subject, first 500 characters of text) of a mail, as far as they can be read."""
    try:
        mail = headers_only(raw[:HEAD], "")
    except Exception:  # noqa: BLE001 - it is here because it could not be read
        head = raw[:2000].decode("ascii", "replace")
        return "unknown", "unknown", head.replace("\x00", "")
    return str(mail.sender), mail.subject, mail.text[:500]


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "queue",
        Role.CONTROL,
        "",
        "Show the waiting jobs, why they wait, and those that failed permanently.",
        show,
    ),
    CommandSpec(
        "retry",
        Role.CONTROL,
        "[NUMBER]",
        "Try everything that failed permanently again, or one job of !queue.",
        retry,
    ),
    CommandSpec(
        "quarantine list",
        Role.CONTROL,
        "",
        "List mails that could not be read (their bytes are kept) and Matrix events that "
        "could not be handled.",
        list_,
    ),
    CommandSpec(
        "quarantine show",
        Role.CONTROL,
        "NUMBER",
        "Show one entry of the quarantine, and why it is there.",
        show_one,
    ),
    CommandSpec(
        "quarantine retry",
        Role.CONTROL,
        "NUMBER",
        "Try one entry of the quarantine again.",
        retry_one,
    ),
    CommandSpec(
        "quarantine drop",
        Role.CONTROL,
        "NUMBER",
        "Drop one entry of the quarantine; asks first.",
        drop,
    ),
)
