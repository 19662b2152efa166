"""`!queue`, `!retry` and `!quarantine`: what waits, and what failed for good."""

from __future__ import annotations

import re

from bridge.chat import admin as texts
from bridge.desk import question
from bridge.desk.desk import Desk
from bridge.desk.hearing import Request
from bridge.mail.parse import parse, senders
from bridge.model import Address, Refused
from bridge.oversight import Standing
from bridge.ports import Tx

SHOWN, MANY = 15, 10_000
HEAD = 100_000
"""Bytes of a quarantined mail that are read to show it: what broke on it once may do so again."""


async def show(tx: Tx, desk: Desk, asked: Request) -> str:
    return texts.queue(
        await tx.jobs.counts(), await tx.jobs.waiting(SHOWN), await tx.jobs.dead(limit=SHOWN),
        desk.now(), desk.settings.command_prefix,
    )  # fmt: skip


async def retry(tx: Tx, desk: Desk, asked: Request) -> str:
    """Everything that failed for good, or the job named by its number."""
    job = _number(asked, 0) if asked.words else None
    revived = await tx.jobs.revive(job)
    if revived:
        await tx.audit.add(desk.now(), asked.who, f"failed jobs tried again: {revived}")
        some = "1 failed job gets" if revived == 1 else f"{revived} failed jobs get"
        return f"{some} new tries."
    if job is not None:
        raise Refused(f"No failed job has the number {job}; !queue shows them.")
    return "Nothing had failed for good."


def _number(asked: Request, position: int) -> int:
    words = asked.words
    if len(words) <= position or not re.fullmatch("#?[0-9]{1,15}", words[position]):
        raise Refused("Say which by its number, like 12.")
    return int(words[position].lstrip("#"))


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    """The mails that could not be taken in."""
    entries = []
    for job in await tx.jobs.dead("receive", SHOWN):
        inbox, raw, _, at = await tx.mails.intake(job.payload["intake"])
        entries.append((job, inbox, at, _shown(await tx.mails.raw(raw))))
    return texts.quarantine(entries, desk.now(), desk.settings.command_prefix)


async def show_one(tx: Tx, desk: Desk, asked: Request) -> str:
    job = await _quarantined(tx, asked)
    inbox, raw, _, at = await tx.mails.intake(job.payload["intake"])
    data = await tx.mails.raw(raw)
    return texts.quarantined(job, inbox, at, _shown(data), len(data), desk.now())


async def retry_one(tx: Tx, desk: Desk, asked: Request) -> str:
    job = await _quarantined(tx, asked)
    await tx.jobs.revive(job.id)
    await tx.audit.add(desk.now(), asked.who, f"quarantine: retry of mail {job.id}")
    return f"Mail {job.id} gets new tries."


async def drop(tx: Tx, desk: Desk, asked: Request) -> str:
    job = await _quarantined(tx, asked)
    await question.ask(tx, asked.who, question.DROP, str(job.id), desk.now())
    prefix = desk.settings.command_prefix
    return (f"Drop mail {job.id}? It will never become a room; it stays in the mailbox it came"
            f" from. {prefix}yes drops it, {prefix}no keeps it.")  # fmt: skip


async def dropped(tx: Tx, desk: Desk, asked: Request, job: int) -> str:
    """The drop was confirmed."""
    found = [each for each in await tx.jobs.dead("receive", MANY) if each.id == job]
    if not found or not await discard(tx, found[0]):
        raise Refused(f"Mail {job} is not in quarantine any more; nothing was dropped.")
    await tx.audit.add(desk.now(), asked.who, f"quarantine: dropped mail {job}")
    return f"Mail {job} is dropped."


async def discard(tx: Tx, job: Standing) -> bool:
    """Forget a quarantined mail and its bytes. False when it was taken in meanwhile."""
    if not await tx.jobs.discard(job.id):
        return False
    _, raw, _, _ = await tx.mails.intake(job.payload["intake"])
    await tx.erasing.unused(raw)
    return True


async def quarantined_from(tx: Tx, address: Address) -> list[Standing]:
    """The mails in quarantine that an address sent."""
    found = []
    for job in await tx.jobs.dead("receive", MANY):
        _, raw, _, _ = await tx.mails.intake(job.payload["intake"])
        if senders(await tx.mails.raw(raw)) & {address.key}:
            found.append(job)
    return found


async def _quarantined(tx: Tx, asked: Request) -> Standing:
    number = _number(asked, 0)
    for job in await tx.jobs.dead("receive", MANY):
        if job.id == number:
            return job
    raise Refused(f"No mail in quarantine has the number {number}; !quarantine list shows them.")


def _shown(raw: bytes) -> tuple[str, str, str]:
    """(sender, subject, first text) as far as they can be read."""
    try:
        mail = parse(raw[:HEAD])
    except Exception:  # noqa: BLE001 - it is here because it could not be read
        head = raw[:2000].decode("ascii", "replace")
        return "unknown", "unknown", head.replace("\x00", "")
    return str(mail.sender), mail.subject, mail.text[:500]
