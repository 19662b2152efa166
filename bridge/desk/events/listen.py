"""Stores incoming Matrix events that concern us, once, each with a job; parks unreadable ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import structlog

from bridge.chat import event as events
from bridge.desk.admin import question, sealed
from bridge.desk.desk import Desk
from bridge.model import Event, EventId, Job, Permanent, Role, RoomId, Transient
from bridge.model.task import ReadEventAgain
from bridge.ports import Tx

log = structlog.get_logger("listen")


async def store_events(desk: Desk, raws: Sequence[Any]) -> int:
    """Store the events that the homeserver pushed or that we fetched; returns how many were new.

    An event that cannot be read or stored is parked with the reason and does not stop the others.
    Raises Transient when the store fails: the homeserver then sends them again.
    """
    now = desk.now()
    found: list[Event] = []
    for raw in raws:
        try:
            event = events.read(raw, now)
            event.content.pop(sealed.SEALED, None)  # only we may set this key
            if _may_concern(desk, event):
                found.append(event)
        except Exception as error:  # noqa: BLE001 - whatever is odd about one event
            await _park(desk, raw, _reason(error))
    try:
        return await _keep(desk, found)
    except Transient:
        raise
    except Exception:
        if not found:
            raise
        log.exception("events not stored together")
    return sum([await _keep_alone(desk, event) for event in found])


async def _keep(desk: Desk, found: Sequence[Event]) -> int:
    """Store those of the events that concern us, in one transaction. Returns how many were new."""
    if not found:
        return 0
    async with desk.store.transaction("transaction-in") as tx:
        if desk.directory.control is None:
            control = await tx.rooms.find(Role.CONTROL)
            desk.directory.control = control.id if control is not None else None
        count = 0
        for event in found:
            in_control = event.room == desk.directory.control
            is_message = event.type == "m.room.message"
            seals = is_message and (in_control or sealed.is_for(desk, event))
            if not _concerns(desk, event) and not (
                (seals and not in_control)
                or (in_control and await _is_answer_or_secret(tx, desk, event))
            ):
                continue
            if seals:
                event = sealed.seal(desk, event)
            count += await tx.events.store(event, event.lane)
        return count


async def _keep_alone(desk: Desk, event: Event) -> int:
    """Store or park one of several events that could not be stored together."""
    try:
        return await _keep(desk, [event])
    except Transient:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is odd about one event
        raw = {"event_id": event.id, "room_id": event.room, "sender": event.sender,
               "type": event.type}  # fmt: skip
        await _park(desk, raw, _reason(error))
        return 0


def _reason(error: Exception) -> str:
    """The reason why an event was parked, without any of its content."""
    if isinstance(error, events.Malformed):
        return str(error)
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"{type(error).__name__} while storing it"


async def _park(desk: Desk, raw: Any, reason: str) -> None:
    """Store the ids of an event that cannot be handled as a dead job, which `!quarantine` shows and
    can retry. Its content is not stored; the homeserver has it."""
    known = events.known_by(raw)
    log.warning("event parked", reason=reason, **known)
    try:  # only the ids: other fields, such as its age, differ each time it is received
        told = known if "event_id" in known else raw
        text = json.dumps([told, reason], sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps([known, reason])
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    async with desk.store.transaction("transaction-in") as tx:
        await tx.jobs.park(ReadEventAgain(digest, **known), reason)


async def retry_parked(desk: Desk, job: Job[ReadEventAgain]) -> None:
    """Fetch a parked event from the homeserver and store it. Raises Permanent where it still cannot
    be handled."""
    room, event_id = RoomId(job.task.room_id), EventId(job.task.event_id)
    if not room or not event_id:
        raise Permanent("nothing tells which event it was")
    raw = await desk.chat.event(room, event_id)
    if raw is None:
        raise Permanent("the homeserver does not show that event")
    try:
        event = events.read({"room_id": room, **raw}, desk.now())
        event.content.pop(sealed.SEALED, None)
        await _keep(desk, [event] if _may_concern(desk, event) else [])
    except (events.Malformed, RecursionError) as error:
        raise Permanent(_reason(error)) from error
    async with desk.store.transaction("transaction-in") as tx:
        await tx.jobs.finish(job)


async def store_receipts(desk: Desk, passing: list[Any]) -> None:
    """Store agents' read receipts in our rooms (Client-Server API v1.14, m.receipt). `passing`: the
    ephemeral events."""
    read = [each for raw in passing for each in events.receipts(raw) if not desk.is_own(each[1])]
    if not read:
        return
    async with desk.store.transaction("transaction-in") as tx:
        for room, mxid, event, at in read:
            if await tx.rooms.known(room) is not None:
                await tx.agents.saw(room, mxid, event, at)


async def _is_answer_or_secret(tx: Tx, desk: Desk, event: Event) -> bool:
    """Whether text in the control room answers a question, or may contain a password."""
    if await question.asked(tx, event.sender, event.at):
        return True
    waited_for = await question.secrets_asked(tx, event.at)
    return sealed.may_hold_secret(desk, event, None, waited_for)


def _concerns(desk: Desk, event: Event) -> bool:
    return events.concerns_us(event, desk.own_prefix, desk.bot, desk.commands)


def _may_concern(desk: Desk, event: Event) -> bool:
    """Whether an event is worth storing; in the control room also text without a command, which may
    be an answer or a secret."""
    if event.type == "m.room.message" and not desk.is_own(event.sender):
        in_control = desk.directory.control in (None, event.room)
        if in_control or event.sender in desk.settings.admins:
            return True
    return _concerns(desk, event)
