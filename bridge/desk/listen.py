"""Matrix events in: keep what concerns us, once, and give it a job."""

from __future__ import annotations

from typing import Any

import structlog

from bridge.chat import event as events
from bridge.desk import question, sealed
from bridge.desk.desk import Desk
from bridge.model import Event
from bridge.ports import Tx

log = structlog.get_logger("listen")


async def take(desk: Desk, raws: list[Any]) -> int:
    """Store the events of a push or a look; returns how many were new.

    One that is malformed is left out, so that the others are not held up. Raises Transient when
    the store fails: then nothing of the batch is kept.
    """
    now = desk.now()
    found: list[Event] = []
    for raw in raws:
        event = events.read(raw, now)
        if event is not None:
            event.content.pop(sealed.SEALED, None)  # ours alone
        if event is None:
            log.warning("malformed event left out", event_id=events.id_of(raw))
        elif _may_concern(desk, event):
            found.append(event)
    if not found:
        return 0
    async with desk.store.transaction("transaction-in") as tx:
        if desk.directory.control is None:
            control = await tx.rooms.find("control")
            desk.directory.control = control.room if control is not None else None
        count = 0
        for event in found:
            in_control = event.room == desk.directory.control
            if not _concerns(desk, event) and not (in_control and await _counts(tx, desk, event)):
                continue
            if event.type == "m.room.message" and (in_control or sealed.is_for(desk, event)):
                event = sealed.seal(desk, event)
            count += await tx.events.store(event, f"in:{event.room}")
        return count


async def notice(desk: Desk, passing: list[Any]) -> None:
    """Note what agents have read in our rooms (Client-Server API v1.14, m.receipt)."""
    read = [each for raw in passing for each in events.receipts(raw) if not desk.is_own(each[1])]
    if not read:
        return
    async with desk.store.transaction("transaction-in") as tx:
        for room, mxid, event, at in read:
            if await tx.rooms.place(room) is not None:
                await tx.agents.saw(room, mxid, event, at)


async def _counts(tx: Tx, desk: Desk, event: Event) -> bool:
    """Whether talk in the control room is the answer to a question, or may hold a password."""
    if await question.asked(tx, event.sender, event.at):
        return True
    waited_for = await question.secrets_asked(tx, event.at)
    return sealed.may_hold_secret(event, None, waited_for, desk.settings.command_prefix)


def _concerns(desk: Desk, event: Event) -> bool:
    return events.concerns_us(event, desk.own_prefix, desk.bot, desk.settings.command_prefix)


def _may_concern(desk: Desk, event: Event) -> bool:
    """What people say in the control room without a command may be an answer, or a secret."""
    if event.type == "m.room.message" and not desk.is_own(event.sender):
        in_control = desk.directory.control in (None, event.room)
        if in_control or event.sender in desk.settings.admins:
            return True
    return _concerns(desk, event)
