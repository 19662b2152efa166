"""Rooms, people and what tests look at in the homeserver of the fast tests."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

DOMAIN = "fake.local"
CREATOR_RULES = ("12",)


def name_of(user: str) -> str:
    """The display name in the profile of a person: `Alice` for @alice:fake.local."""
    return user[1:].partition(":")[0].title()


@dataclass
class Room:
    id: str
    version: str
    creator: str
    events: list[dict[str, Any]] = field(default_factory=list)
    state: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def membership(self, user: str) -> str:
        event = self.state.get(("m.room.member", user))
        return event["content"].get("membership", "leave") if event else ""

    def power(self, user: str) -> int:
        if user == self.creator:
            return 1000
        levels = self.state.get(("m.room.power_levels", ""), {"content": {}})["content"]
        return int(levels.get("users", {}).get(user, levels.get("users_default", 0)))


class Refusal(Exception):
    def __init__(self, status: int, code: str, text: str = "", **extra: Any) -> None:
        self.status, self.body = status, {"errcode": code, "error": text or code, **extra}


class MatrixState:
    """State, push queue and knobs for faults. `log` holds every request of the bridge."""

    def __init__(self, as_token: str, hs_token: str) -> None:
        self.as_token, self.hs_token = as_token, hs_token
        self.appservice = ""
        self.rooms: dict[str, Room] = {}
        self.aliases: dict[str, str] = {}
        self.devices: dict[str, set[str]] = {}
        self.media: dict[str, bytes | None] = {}
        self.media_types: dict[str, str] = {}
        self.zones: dict[str, str] = {}
        self.log: list[tuple[str, str, Any]] = []
        self.pushes: list[dict[str, Any]] = []
        self.stranded: list[dict[str, Any]] = []
        self.lose_pushes = False
        self.strand_pushes = False
        self.down = False
        self.profiles: dict[str, dict[str, str]] = {}
        self.lose_answers = 0
        self.rate_limit = 0
        self.fail_media = 0
        self.fail_uploads: dict[str, int] = {}
        """How often uploads of a name fail from now on."""
        self.fail_rooms_before_alias = self.fail_rooms_after_alias = 0
        self.fail_rooms_before_name = 0
        self.upload_limit = 50_000_000
        self.open_media = False
        self.reserves_media = self.makes_devices = True
        self.unknown_device = "M_UNKNOWN_DEVICE"
        """What it answers to a request from a device that does not exist."""
        self.refuses: set[str] = set()
        """Types of events, `picture`, `invite @user` and `join @user` that are refused."""
        self.after_members: Callable[[Room], Awaitable[None]] | None = None
        """Runs when the members of a room were listed, before the list is answered."""
        self._by_device: dict[tuple[str, str, str, str], str] = {}
        self._in_memory: dict[tuple[str, str], str] = {}
        self._ids = itertools.count(1)
        self._position = 0
        self._txn = itertools.count(1)
        self._wake = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._pusher: asyncio.Task[None] | None = None
        self.url = ""

    def restart(self) -> None:
        """What Synapse forgets when it dies: transaction ids of /send, and its own counter."""
        self._in_memory.clear()
        self._txn = itertools.count(1)
        self.stranded += self.pushes
        self.pushes = []

    # people

    def say(self, user: str, room: str, text: str, **content: Any) -> str:
        return self.send(
            user, room, "m.room.message", {"msgtype": "m.text", "body": text, **content}
        )

    def react(self, user: str, room: str, event: str, key: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event, "key": key}
        return self.send(user, room, "m.reaction", {"m.relates_to": relation})

    def reply(self, user: str, room: str, event: str, text: str) -> str:
        return self.say(
            user, room, text, **{"m.relates_to": {"m.in_reply_to": {"event_id": event}}}
        )

    def edit(self, user: str, room: str, event: str, text: str) -> str:
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event}
        return self.send(
            user, room, "m.room.message",
            {**new, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation},
        )  # fmt: skip

    def send(self, user: str, room: str, type: str, content: dict[str, Any]) -> str:
        assert self.rooms[room].membership(user) == "join", f"{user} is not in {room}"
        return self._add(self.rooms[room], user, type, content)

    def redact(self, user: str, room: str, event: str) -> str:
        return self._redact(self.rooms[room], user, event)

    def join(self, user: str, room: str) -> None:
        self._join(self.rooms[room], user, {})

    def leave(self, user: str, room: str) -> None:
        self._member(self.rooms[room], user, user, "leave")

    def file(
        self, user: str, room: str, name: str, data: bytes, type: str, msgtype: str = "m.file"
    ) -> str:
        mxc = f"mxc://{DOMAIN}/user{next(self._ids)}"
        self.media[mxc] = data
        return self.send(user, room, "m.room.message", {
            "msgtype": msgtype, "body": name, "filename": name, "url": mxc,
            "info": {"mimetype": type, "size": len(data)},
        })  # fmt: skip

    # what a test looks at

    def named(self, name: str) -> Room | None:
        for room in self.rooms.values():
            event = room.state.get(("m.room.name", ""))
            if event and event["content"].get("name") == name:
                return room
        return None

    def messages(self, room: Room) -> list[dict[str, Any]]:
        """Messages as a client shows them: edits applied, redacted and edit events left out."""
        shown = []
        for event in room.events:
            if event["type"] != "m.room.message" or not event["content"]:
                continue
            if event["content"].get("m.relates_to", {}).get("rel_type") == "m.replace":
                continue
            edit = self._edit_of(room, event)
            content = edit["content"]["m.new_content"] if edit else event["content"]
            shown.append({**event, "content": content})
        return shown

    def bodies(self, room: Room) -> list[str]:
        return [event["content"].get("body", "") for event in self.messages(room)]

    def reactions(self, room: Room, event: str) -> list[tuple[str, str]]:
        return [
            (each["sender"], each["content"]["m.relates_to"]["key"])
            for each in room.events
            if each["type"] == "m.reaction"
            and each["content"].get("m.relates_to", {}).get("event_id") == event
        ]

    # state

    def _add(
        self, room: Room, sender: str, type: str, content: dict[str, Any],
        state_key: str | None = None, redacts: str | None = None, push: bool = True,
    ) -> str:  # fmt: skip
        if len(json.dumps(content)) > 65_000:
            raise Refusal(413, "M_TOO_LARGE")
        self._position += 1
        event: dict[str, Any] = {
            "event_id": f"$event{next(self._ids)}",
            "room_id": room.id,
            "sender": sender,
            "type": type,
            "content": content,
            "origin_server_ts": int(time.time() * 1000),
            "position": self._position,
        }
        if state_key is not None:
            old = room.state.get((type, state_key))
            event["state_key"] = state_key
            if old:
                event["unsigned"] = {"prev_content": old["content"]}
            room.state[type, state_key] = event
        if redacts:
            event["redacts"] = redacts
        room.events.append(event)
        if push and self._concerns_appservice(room) and not self.lose_pushes:
            (self.stranded if self.strand_pushes else self.pushes).append(event)
            self._wake.set()
        return str(event["event_id"])

    def _concerns_appservice(self, room: Room) -> bool:
        return any(
            key.startswith("@email_") for type_, key in room.state if type_ == "m.room.member"
        )

    def _member(self, room: Room, sender: str, user: str, membership: str, **more: Any) -> None:
        if membership in ("join", "invite") and "email" not in user:
            more = {"displayname": name_of(user), **more}
        content = {"membership": membership, **more}
        self._add(room, sender, "m.room.member", content, state_key=user)

    def _join(self, room: Room, user: str, more: dict[str, Any]) -> None:
        rule = room.state.get(("m.room.join_rules", ""), {"content": {}})["content"]
        allowed = room.membership(user) in ("invite", "join")
        if rule.get("join_rule") == "restricted":
            for each in rule.get("allow", ()):
                queue = self.rooms.get(each["room_id"])
                allowed = allowed or (queue is not None and queue.membership(user) == "join")
        if not allowed:
            raise Refusal(403, "M_FORBIDDEN", "not invited")
        self._member(room, user, user, "join", **more)

    def _redact(self, room: Room, sender: str, event_id: str) -> str:
        for event in room.events:
            if event["event_id"] == event_id:
                event["content"] = {}
        return self._add(room, sender, "m.room.redaction", {"redacts": event_id}, redacts=event_id)

    def edits(self, room: Room, event: str) -> list[dict[str, Any]]:
        """Everybody's edits of an event, oldest first."""
        return [
            each
            for each in room.events
            if each["content"].get("m.relates_to", {}).get("rel_type") == "m.replace"
            and each["content"]["m.relates_to"]["event_id"] == event
        ]

    def _edit_of(self, room: Room, event: dict[str, Any]) -> dict[str, Any] | None:
        by_author = [
            each
            for each in self.edits(room, event["event_id"])
            if each["sender"] == event["sender"]
        ]
        return by_author[-1] if by_author else None

    def events_of(self, address: str) -> list[dict[str, Any]]:
        """Everything the ghost of an address said, in every room."""
        ghost = f"@email_{address.replace('@', '=40')}:{DOMAIN}"
        return [e for room in self.rooms.values() for e in room.events if e["sender"] == ghost]
