"""Raw Matrix events to values, and which of them concern us."""

from __future__ import annotations

from typing import Any

from bridge.chat import command
from bridge.model import Content, Event, EventId, Mxid, RoomId


def read(raw: Any, now: float) -> Event | None:
    """An event of a push or of /sync; None for what is malformed (it is logged and parked)."""
    if not isinstance(raw, dict):
        return None
    content = raw.get("content")
    state_key = raw.get("state_key")
    fields = [raw.get(name) for name in ("event_id", "room_id", "sender", "type")]
    if not isinstance(content, dict) or not all(isinstance(each, str) for each in fields):
        return None
    if not all(_storable(str(each)) for each in fields):
        return None
    at = raw.get("origin_server_ts")
    redacts = raw.get("redacts") or content.get("redacts")  # room version 11 moved it
    previous = (raw.get("unsigned") or {}).get("prev_content") or {}
    return Event(
        id=EventId(str(fields[0])),
        room=RoomId(str(fields[1])),
        sender=Mxid(str(fields[2])),
        type=str(fields[3]),
        content=content,
        at=at / 1000 if isinstance(at, int) else now,
        state_key=state_key if isinstance(state_key, str) else None,
        redacts=EventId(redacts) if isinstance(redacts, str) else None,
        prev_membership=str(previous.get("membership", "")) if isinstance(previous, dict) else "",
        seen_at=now,
    )


def receipts(raw: Any) -> list[tuple[RoomId, Mxid, EventId, float]]:
    """(room, who, the event they read up to, when) of a pushed m.receipt (Client-Server API v1.14
    §11.5); empty for anything else."""
    content = raw.get("content") if isinstance(raw, dict) else None
    if not isinstance(content, dict) or raw.get("type") != "m.receipt":
        return []
    found = []
    for event, kinds in content.items():
        readers = kinds.get("m.read") if isinstance(kinds, dict) else None
        for mxid, told in readers.items() if isinstance(readers, dict) else ():
            at = told.get("ts") if isinstance(told, dict) else None
            names = (str(raw.get("room_id")), mxid, event)
            if isinstance(at, int) and all(_storable(each) for each in names):
                found.append((RoomId(names[0]), Mxid(mxid), EventId(event), at / 1000))
    return found


def _storable(text: str) -> bool:
    """Neither NUL, which PostgreSQL refuses, nor half a surrogate pair."""
    return "\0" not in text and text.encode("utf-8", "ignore").decode() == text


def id_of(raw: Any) -> str:
    """The id of an event that cannot be read, for the log; what it says stays out of there."""
    return str(raw.get("event_id"))[:100] if isinstance(raw, dict) else "none"


def concerns_us(event: Event, own_prefix: str, bot: Mxid, prefix: str) -> bool:
    """Whether an event asks for anything. Plain talk does not, and is not stored.

    `own_prefix` begins the ids of our ghosts and the bot: what they do stops here, but for
    memberships, which may be about people.
    """
    if event.type == "m.room.member":
        about = event.state_key or ""
        return not about.startswith(own_prefix) or (about == bot and event.sender != bot)
    if event.sender.startswith(own_prefix):
        return False
    match event.type:
        case "m.room.message":
            return _asks(event.content, prefix)
        case "m.reaction":
            return command.reaction(event.content) is not None
        case "m.room.redaction":
            return event.redacts is not None
        case "m.room.encrypted":
            return True
        case _:
            return False


def _asks(content: Content, prefix: str) -> bool:
    if command.edited(content) is not None:
        return True
    return command.new_text(content).startswith(prefix)
