"""A homeserver in memory for fast tests, with Synapse's faults towards an appservice.

Measured on Synapse 1.163 and imitated here: transaction ids restart with the server, the same
event may come again under a new id, pushes get lost or stranded until one is answered with 5xx,
/send is idempotent only in memory unless a device is named, two senders' equal transaction ids in
one room collide, createRoom has no transaction id and binds the alias before it can fail, media
cannot be written twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp import web

DOMAIN = "fake.local"
CREATOR_RULES = ("12",)


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


class FakeHomeserver:
    """State, push queue and knobs for faults. `log` holds every request of the bridge."""

    def __init__(self, as_token: str, hs_token: str) -> None:
        self.as_token, self.hs_token = as_token, hs_token
        self.appservice = ""
        self.rooms: dict[str, Room] = {}
        self.aliases: dict[str, str] = {}
        self.devices: dict[str, set[str]] = {}
        self.media: dict[str, bytes | None] = {}
        self.media_types: dict[str, str] = {}
        self.log: list[tuple[str, str, Any]] = []
        self.pushes: list[dict[str, Any]] = []
        self.stranded: list[dict[str, Any]] = []
        self.lose_pushes = False
        self.strand_pushes = False
        self.down = False
        self.lose_answers = 0
        self.rate_limit = 0
        self.fail_media = 0
        self.fail_rooms_after_alias = 0
        self.upload_limit = 50_000_000
        self._by_device: dict[tuple[str, str, str, str], str] = {}
        self._in_memory: dict[tuple[str, str], str] = {}
        self._ids = itertools.count(1)
        self._position = 0
        self._txn = itertools.count(1)
        self._wake = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._pusher: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=200_000_000)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        self._http = aiohttp.ClientSession()
        self._pusher = asyncio.create_task(self._push())

    async def stop(self) -> None:
        if self._pusher:
            self._pusher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pusher
        await self._http.close()
        if self._runner:
            await self._runner.cleanup()

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

    def file(self, user: str, room: str, name: str, data: bytes, type: str) -> str:
        mxc = f"mxc://{DOMAIN}/user{next(self._ids)}"
        self.media[mxc] = data
        return self.send(user, room, "m.room.message", {
            "msgtype": "m.file", "body": name, "filename": name, "url": mxc,
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

    def _edit_of(self, room: Room, event: dict[str, Any]) -> dict[str, Any] | None:
        edits = [
            each
            for each in room.events
            if each["content"].get("m.relates_to", {}).get("rel_type") == "m.replace"
            and each["content"]["m.relates_to"]["event_id"] == event["event_id"]
            and each["sender"] == event["sender"]
        ]
        return edits[-1] if edits else None

    # pushing

    async def _push(self) -> None:
        """One transaction in flight, at most 100 events; a 5xx brings the stranded ones."""
        backoff = 0.05
        while True:
            await self._wake.wait()
            if not self.pushes or self.down or not self.appservice:
                self._wake.clear()
                if self.down:
                    await asyncio.sleep(0.05)
                    self._wake.set()
                continue
            batch = self.pushes[:100]
            status = await self._put(batch)
            if status == 200:
                done = {id(event) for event in batch}
                self.pushes = [event for event in self.pushes if id(event) not in done]
                backoff = 0.05
            else:
                self.pushes = self.stranded + self.pushes
                self.stranded = []
                await asyncio.sleep(backoff)
                backoff = min(1.0, backoff * 2)

    async def _put(self, events: list[dict[str, Any]]) -> int:
        url = f"{self.appservice}/_matrix/app/v1/transactions/{next(self._txn)}"
        try:
            async with self._http.put(
                url,
                json={"events": events, "ephemeral": []},
                headers={"Authorization": f"Bearer {self.hs_token}"},
                timeout=aiohttp.ClientTimeout(total=10),
            ) as response:
                # an answer without Content-Length counts as failed
                return response.status if "Content-Length" in response.headers else 500
        except (TimeoutError, aiohttp.ClientError):
            return 599

    # requests

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if request.headers.get("Authorization") != f"Bearer {self.as_token}":
            return web.json_response({"errcode": "M_UNKNOWN_TOKEN", "error": "token"}, status=401)
        user = request.query.get("user_id", f"@sender:{DOMAIN}")
        is_media = "/upload/" in request.path
        raw = await request.read()
        body = None if is_media or not raw else json.loads(raw)
        self.log.append((request.method, request.path, body))
        try:
            if self.rate_limit:
                self.rate_limit -= 1
                raise Refusal(429, "M_LIMIT_EXCEEDED", retry_after_ms=300)
            answer = self._answer(request, user, body, raw)
            if asyncio.iscoroutine(answer):
                answer = await answer
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        if self.lose_answers and request.method in ("PUT", "POST"):
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        return web.json_response(answer)

    def _answer(self, request: web.Request, user: str, body: Any, raw: bytes) -> Any:
        path = [unquote(part) for part in request.raw_path.partition("?")[0].split("/")]
        match request.method, *path[2:]:
            case "GET", "client", "versions":
                return {"versions": ["v1.11"]}
            case "POST", "client", "v3", "register":
                return self._register(body)
            case "PUT", "client", "v3", "devices", device:
                self.devices.setdefault(user, set()).add(device)
                return {}
            case "POST", "client", "v3", "createRoom":
                return self._create(user, body)
            case "GET", "client", "v3", "directory", "room", alias:
                if alias not in self.aliases:
                    raise Refusal(404, "M_NOT_FOUND")
                return {"room_id": self.aliases[alias], "servers": [DOMAIN]}
            case "DELETE", "client", "v3", "directory", "room", alias:
                self.aliases.pop(alias, None)
                return {}
            case "POST", "client", "v1", "appservice", _, "ping":
                self._wake.set()
                return {"duration_ms": 1}
            case "GET", "client", "v3", "sync":
                if json.loads(request.query["filter"])["room"].get("rooms") == []:
                    return self._hold(int(request.query["timeout"]) / 1000)
                return self._sync(user, request.query.get("since"))
            case "GET", "client", "v1", "media", "config":
                return {"m.upload.size": self.upload_limit}
            case "POST", "media", "v1", "create":
                if self.fail_media:
                    self.fail_media -= 1
                    raise Refusal(500, "M_UNKNOWN", "the media repository is away")
                mxc = f"mxc://{DOMAIN}/m{next(self._ids)}"
                self.media[mxc] = None
                return {"content_uri": mxc}
            case "PUT", "media", "v3", "upload", server, media:
                return self._fill(f"mxc://{server}/{media}", raw, request.content_type)
            case "GET", "client", "v1", "media", "download", server, media:
                data = self.media.get(f"mxc://{server}/{media}")
                if data is None:
                    raise Refusal(404, "M_NOT_FOUND")
                return data
            case method, "client", "v3", "rooms", room, *rest:
                if room not in self.rooms:
                    raise Refusal(404, "M_NOT_FOUND")
                return self._in_room(method, self.rooms[room], rest, user, body, request.query)
        raise Refusal(404, "M_UNRECOGNIZED", request.path)

    def _register(self, body: Any) -> Any:
        user = f"@{body['username']}:{DOMAIN}"
        if user in self.devices:
            raise Refusal(400, "M_USER_IN_USE")
        self.devices[user] = {body["device_id"]} if body.get("device_id") else set()
        return {"user_id": user}

    def _fill(self, mxc: str, data: bytes, type: str) -> Any:
        if self.media.get(mxc) is not None:
            raise Refusal(409, "M_CANNOT_OVERWRITE_MEDIA")
        self.media[mxc] = data
        self.media_types[mxc] = type
        return {}

    def _create(self, user: str, body: Any) -> Any:
        alias = f"#{body['room_alias_name']}:{DOMAIN}"
        if alias in self.aliases:
            raise Refusal(400, "M_ROOM_IN_USE")
        version = body["room_version"]
        room = Room(f"!room{next(self._ids)}", version, user)
        self.rooms[room.id] = room
        self.aliases[alias] = room.id
        create = {"room_version": version, **body.get("creation_content", {})}
        self._add(room, user, "m.room.create", create, state_key="", push=False)
        self._add(room, user, "m.room.member", {"membership": "join"}, state_key=user, push=False)
        if self.fail_rooms_after_alias:
            self.fail_rooms_after_alias -= 1
            raise Refusal(500, "M_UNKNOWN", "failed with the alias bound")
        power = body["power_level_content_override"]
        if version in CREATOR_RULES and user in power.get("users", {}):
            raise Refusal(400, "M_UNKNOWN", "creator must not appear in content.users")
        state = [("m.room.power_levels", "", power)]
        state += [
            (each["type"], each["state_key"], each["content"]) for each in body["initial_state"]
        ]
        state += [("m.room.name", "", {"name": body["name"]})]
        state += [("m.room.topic", "", {"topic": body["topic"]})]
        for type_, key, content in state:
            self._add(room, user, type_, content, state_key=key, push=False)
        for guest in body.get("invite", ()):
            self._member(room, user, guest, "invite")
        return {"room_id": room.id}

    def _in_room(
        self, method: str, room: Room, rest: list[str], user: str, body: Any, query: Any
    ) -> Any:
        match method, *rest:
            case "PUT", "send", type_, txn:
                return {"event_id": self._send(room, user, type_, txn, body, query)}
            case "PUT", "redact", event, txn:
                key = (room.id, user, "redact", txn)
                if key not in self._by_device:
                    self._by_device[key] = self._redact(room, user, event)
                return {"event_id": self._by_device[key]}
            case "PUT", "state", "m.room.member", who:
                if who != user:
                    raise Refusal(403, "M_FORBIDDEN")
                more = {k: v for k, v in body.items() if k != "membership"}
                self._join(room, user, more)
                return {"event_id": room.state["m.room.member", who]["event_id"]}
            case "PUT", "state", type_, *key:
                return {"event_id": self._set_state(room, user, type_, "".join(key), body)}
            case "GET", "state", type_, *key:
                event = room.state.get((type_, "".join(key)))
                if event is None:
                    raise Refusal(404, "M_NOT_FOUND")
                return event["content"]
            case "POST", "invite":
                self._act(room, user, body["user_id"], "invite")
                return {}
            case "POST", "kick":
                self._act(room, user, body["user_id"], "leave")
                return {}
            case "POST", ("join" | "leave") as act:
                if act == "join":
                    self._join(room, user, {})
                else:
                    self._member(room, user, user, "leave")
                return {}
            case "GET", "members":
                chunk = [e for (type_, _), e in room.state.items() if type_ == "m.room.member"]
                return {"chunk": chunk}
            case "GET", "event", event_id:
                return self._event(room, event_id)
            case "GET", "messages":
                return self._page(room, query)
        raise Refusal(404, "M_UNRECOGNIZED", "/".join(rest))

    def _act(self, room: Room, sender: str, user: str, membership: str) -> None:
        if room.membership(user) in (
            ("join", "invite") if membership == "invite" else ("", "leave")
        ):
            raise Refusal(403, "M_FORBIDDEN", "already so")
        self._member(room, sender, user, membership)

    def _send(self, room: Room, user: str, type: str, txn: str, body: Any, query: Any) -> str:
        if room.membership(user) != "join":
            raise Refusal(403, "M_FORBIDDEN", f"{user} not in room")
        relation = body.get("m.relates_to", {})
        if type == "m.reaction":
            pair = (user, relation["key"])
            if pair in self.reactions(room, relation["event_id"]):
                raise Refusal(400, "M_DUPLICATE_ANNOTATION")
        device = query.get("device_id", "")
        if device and device in self.devices.get(user, ()):
            key = (room.id, user, device, txn)
            if key not in self._by_device:
                self._by_device[key] = self._add(room, user, type, body)
            return self._by_device[key]
        memory = (room.id, txn)  # not by sender: equal ids of two ghosts collide
        if memory not in self._in_memory:
            self._in_memory[memory] = self._add(room, user, type, body)
        return self._in_memory[memory]

    def _set_state(self, room: Room, user: str, type: str, key: str, body: Any) -> str:
        if room.power(user) < 100:
            raise Refusal(403, "M_FORBIDDEN")
        old = room.state.get((type, key))
        if old and old["content"] == body:
            return str(old["event_id"])
        return self._add(room, user, type, body, state_key=key)

    def _event(self, room: Room, event_id: str) -> Any:
        for event in room.events:
            if event["event_id"] == event_id:
                edit = self._edit_of(room, event)
                relations = {"m.relations": {"m.replace": edit}} if edit else {}
                return {**event, "unsigned": relations}
        raise Refusal(404, "M_NOT_FOUND")

    def _page(self, room: Room, query: Any) -> Any:
        limit = int(query.get("limit", 10))
        wanted = json.loads(query.get("filter", "{}")).get("senders")
        token = int(query.get("from", 0) or 0)
        events = [e for e in room.events if wanted is None or e["sender"] in wanted]
        if query["dir"] == "f":
            chunk = [e for e in events if e["position"] > token][:limit]
            more = bool(chunk) and chunk[-1] is not events[-1]
            return {"chunk": chunk, **({"end": str(chunk[-1]["position"])} if more else {})}
        chunk = [e for e in reversed(events) if not token or e["position"] < token][:limit]
        more = bool(chunk) and chunk[-1] is not events[0]
        return {"chunk": chunk, **({"end": str(chunk[-1]["position"])} if more else {})}

    async def _hold(self, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.down:
                raise Refusal(502, "M_UNKNOWN", "gone")
            await asyncio.sleep(0.05)
        return {"next_batch": str(self._position)}

    def _sync(self, user: str, since: str | None) -> Any:
        if user == f"@email_sender:{DOMAIN}":
            raise Refusal(500, "M_UNKNOWN", "no sync for the sender")
        start = int(since or 0)
        joined = {}
        for room in self.rooms.values():
            fresh = [e for e in room.events if e["position"] > start]
            if room.membership(user) == "join" and fresh:
                joined[room.id] = {"timeline": {"events": fresh[-10:], "limited": len(fresh) > 10}}
        return {"next_batch": str(self._position), "rooms": {"join": joined}}
