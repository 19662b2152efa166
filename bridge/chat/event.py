"""Read raw Matrix events, and decide which of them the bridge has to handle."""

from __future__ import annotations

from typing import Any

from bridge.chat import command
from bridge.chat.content import cleaned, is_moment, object_at, storable
from bridge.model import Event, EventId, Mxid, RoomId

LONGEST_ID = 255
"""Maximum bytes of ids, types and state keys (Client-Server API v1.14, size limits)."""


class Malformed(ValueError):
    """An event that cannot be handled; the text says which field is wrong, and how."""


def read(raw: Any, now: float) -> Event:
    """Read an event of a push or of /sync. Raises Malformed, or RecursionError if its content is
    nested too deeply.

    Every homeserver checks events by rules of its own, so no field is trusted. Characters that no
    database stores make ids, type and state key Malformed, and are removed from the content.
    """
    if not isinstance(raw, dict):
        raise Malformed("it is no object")
    names = {name: _name(raw, name) for name in ("event_id", "room_id", "sender", "type")}
    content = raw.get("content")
    if not isinstance(content, dict):
        raise Malformed("its content is no object")
    redacts = raw.get("redacts") or content.get("redacts")  # room version 11 moved it
    before = object_at(raw, "unsigned", "prev_content").get("membership")
    at = raw.get("origin_server_ts")
    return Event(
        id=EventId(names["event_id"]),
        room=RoomId(names["room_id"]),
        sender=Mxid(names["sender"]),
        type=names["type"],
        content=cleaned(content),
        at=at / 1000 if is_moment(at) else now,
        state_key=_name(raw, "state_key") if raw.get("state_key") is not None else None,
        redacts=command.event_id(redacts),
        prev_membership=before if isinstance(before, str) and storable(before) else "",
        seen_at=now,
    )


def _name(raw: dict[str, Any], field: str) -> str:
    """An id, type or state key of an event. Raises Malformed."""
    value = raw.get(field)
    if not isinstance(value, str):
        raise Malformed(f"its {field} is no text")
    if not storable(value):
        raise Malformed(f"its {field} holds characters that no text has")
    if len(value.encode()) > LONGEST_ID:
        raise Malformed(f"its {field} is longer than {LONGEST_ID} bytes")
    return value


def receipts(raw: Any) -> list[tuple[RoomId, Mxid, EventId, float]]:
    """(room, user, last event read, epoch seconds) of each read receipt in a pushed m.receipt
    (Client-Server API v1.14 §11.5); empty for anything else."""
    if not isinstance(raw, dict) or raw.get("type") != "m.receipt":
        return []
    found = []
    for event, kinds in object_at(raw, "content").items():
        for mxid, told in object_at(kinds, "m.read").items():
            at = told.get("ts") if isinstance(told, dict) else None
            names = (str(raw.get("room_id")), str(mxid), str(event))
            if is_moment(at) and all(storable(each) for each in names):
                found.append((RoomId(names[0]), Mxid(mxid), EventId(event), at / 1000))
    return found


def known_by(raw: Any) -> dict[str, str]:
    """The ids, sender and type of an event that cannot be read, so that it can be fetched again.
    Fields that are not short, storable texts are left out."""
    if not isinstance(raw, dict):
        return {}
    found = {name: raw.get(name) for name in ("event_id", "room_id", "sender", "type")}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and len(value) <= LONGEST_ID and storable(value)
    }


def concerns_us(event: Event, own_prefix: str, bot: Mxid, commands: command.CommandReader) -> bool:
    """Whether the bridge has to handle an event. Plain messages are ignored and not stored.

    `own_prefix` starts the ids of our ghosts and the bot. Their events are ignored, except
    membership events, which may be about other users.
    """
    if event.type == "m.room.member":
        member = event.state_key or ""
        return not member.startswith(own_prefix) or (member == bot and event.sender != bot)
    if event.sender.startswith(own_prefix):
        return False
    match event.type:
        case "m.room.message":
            return command.edited(event.content) is not None or commands.may_begin(event.content)
        case "m.reaction":
            return command.reaction(event.content) is not None
        case "m.room.redaction":
            return event.redacts is not None
        case "m.room.encrypted":
            return True
        case _:
            return False
