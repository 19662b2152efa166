"""After a restore: shows the mails whose sending has to be confirmed by people."""

from __future__ import annotations

from bridge.chat import admin as texts
from bridge.desk.desk import Desk
from bridge.desk.outbound.dispatch import show_status
from bridge.desk.rooms.refresh import tell_control
from bridge.model import Job, PostKey, Shows
from bridge.model.admin_task import AfterRestore


async def restored(desk: Desk, job: Job[AfterRestore]) -> None:
    """Show mails that may have been sent since the backup as unconfirmed, and tell the admins."""
    asked = job.task.asked
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        for number in asked:
            await show_status(tx, desk, await tx.deliveries.get(number))
        at = await tx.settings.value("backup-at")
        text = texts.restored(float(at) if at else None, len(asked), desk.now())
        await tell_control(tx, desk, PostKey.other(Shows.RESTORED, job.id), text)
