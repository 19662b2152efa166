"""Matrix events in: keep what concerns us, once, and give it a job."""

from __future__ import annotations

from typing import Any

import structlog

from bridge.chat import event as events
from bridge.desk.desk import Desk

log = structlog.get_logger("listen")


async def take(desk: Desk, raws: list[Any]) -> int:
    """Store the events of a push or a look; returns how many were new.

    One that is malformed is parked in the log, so that the others are not held up. Raises
    Transient when the store fails: then nothing of the batch is kept.
    """
    now = desk.now()
    found = []
    for raw in raws:
        event = events.read(raw, now)
        if event is None:
            log.warning("malformed event parked", content=str(raw)[:500])
        elif events.concerns_us(event, desk.own_prefix, desk.bot, desk.settings.command_prefix):
            found.append(event)
    if not found:
        return 0
    async with desk.store.transaction("transaction-in") as tx:
        return sum([await tx.events.store(event, f"in:{event.room}") for event in found])
