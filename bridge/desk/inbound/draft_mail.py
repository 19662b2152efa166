"""Shows mail in the control room: what comes for an inbox that is being set up, and at any time a
provider's question whether a forward is wanted."""

from __future__ import annotations

from dataclasses import replace

from bridge.chat import hook as texts
from bridge.desk.desk import Desk
from bridge.desk.inbound.signed import checked
from bridge.desk.rooms.refresh import tell_control
from bridge.mail import forwarding_question
from bridge.mail.quote import Body
from bridge.model import InboxId, Job, Mail, PostKey, Shows, Verdict
from bridge.model.admin_task import ShowDraftMail
from bridge.ports import Tx

PROOF = {True: "proven by a signature", False: "not proven: anybody may have written this"}
HOUR, AN_HOUR = 3600.0, 20
"""Mails of a draft, or to the postmaster, that are shown in an hour."""


async def is_question(desk: Desk, raw: bytes, verdict: Verdict) -> tuple[bool, bool]:
    """(whether a provider asks if a forward is wanted, whether that is certain, so that it makes no
    conversation). Its sender has to be proven, by who brought the mail or by its signature. Raises
    Transient."""
    if not forwarding_question.may_be(raw):
        return False, False
    mail, _ = await _read(desk, raw)
    if verdict is Verdict.PASS:
        mail = replace(mail, sender_verdict=verdict)
    return forwarding_question.asks(mail), forwarding_question.is_certain(mail)


async def may_show(tx: Tx, inbox: InboxId, now: float) -> bool:
    """Whether one more mail may be shown in this hour; if so, it is counted. Anybody may write to
    the postmaster, and the admins must still see what else happens."""
    name, hour = f"shown:{inbox}", int(now // HOUR)
    before, _, count = (await tx.settings.value(name) or "0 0").partition(" ")
    shown = int(count) if int(before) == hour else 0
    if shown >= AN_HOUR:
        return False
    await tx.settings.set_value(name, f"{hour} {shown + 1}")
    return True


async def show(desk: Desk, job: Job[ShowDraftMail]) -> None:
    """Tell of the mail."""
    task = job.task
    async with desk.store.reading() as tx:
        raw = await tx.mails.raw(task.raw)
    mail, body = await _read(desk, raw)
    sender = f"{mail.sender} ({PROOF[mail.sender_verdict is Verdict.PASS]})"
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        shown = sender, mail.subject, body.text
        if task.is_question:
            text = texts.question(task.inbox, *shown)
        elif task.inbox:
            text = texts.for_draft(task.inbox, *shown)
        else:
            text = texts.for_postmaster(*shown)
        await tell_control(tx, desk, PostKey.other(Shows.DRAFT_MAIL, task.raw, task.inbox), text)
        await tx.erasing.empty_if_unused(task.raw)


async def _read(desk: Desk, raw: bytes) -> tuple[Mail, Body]:
    mail, body = await desk.reader.read(raw, "", frozenset())
    return await checked(desk, mail, raw), body
