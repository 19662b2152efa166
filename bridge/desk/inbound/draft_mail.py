"""Shows mail for an inbox that is being set up in the control room: a provider's question whether
a forward is wanted, or the admin's own trial."""

from __future__ import annotations

from bridge.chat import hook as texts
from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import tell_control
from bridge.model import Job, PostKey, Shows
from bridge.model.admin_task import ShowDraftMail


async def show(desk: Desk, job: Job[ShowDraftMail]) -> None:
    """Tell of the mail."""
    task = job.task
    async with desk.store.reading() as tx:
        raw = await tx.mails.raw(task.raw)
    mail, body = await desk.reader.read(raw, "", frozenset())
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        shown = str(mail.sender), mail.subject, body.text
        text = texts.for_draft(task.inbox, *shown) if task.inbox else texts.for_postmaster(*shown)
        await tell_control(tx, desk, PostKey.other(Shows.DRAFT_MAIL, task.raw), text)
        await tx.erasing.empty_if_unused(task.raw)
