"""Retention: deletes old data, one batch at a time."""

from __future__ import annotations

from bridge.desk.admin import access
from bridge.desk.admin.erase import order_purge
from bridge.desk.desk import Desk
from bridge.desk.rooms.vacate import vacate

DAY = 86400.0
BATCH = 20


async def clean(desk: Desk) -> int:
    """Delete one batch of each kind that is older than its retention days: raw mails, members of
    old rooms, closed conversations. Returns how many; 0 when nothing is left to delete."""
    retention, now = desk.settings.retention, desk.now()
    count = 0
    async with desk.store.transaction("janitor") as tx:
        await access.forget_unused(tx, desk)
        if retention.raw_mail is not None:
            count += await tx.erasing.empty_old_raw(now - retention.raw_mail * DAY)
        if retention.rooms is not None:
            for conversation in await tx.conversations.to_vacate(
                now - retention.rooms * DAY, BATCH
            ):
                await vacate(tx, desk, conversation)
                count += 1
        if retention.closed is not None:
            for number in await tx.erasing.closed_before(now - retention.closed * DAY):
                await order_purge(tx, desk, number, ids=True)
                count += 1
    return count
