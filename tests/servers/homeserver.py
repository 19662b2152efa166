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
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from tests.servers.matrix_state import CREATOR_RULES, DOMAIN, MatrixState, Refusal, Room, name_of


class FakeHomeserver(MatrixState):
    """The homeserver's requests, and its pushes to the appservice."""

    async def start(self) -> None:
        app = web.Application(client_max_size=200_000_000)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
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

    async def receipt(self, user: str, room: str, event: str) -> None:
        """A public read receipt: pushed once, and never again."""
        read = {event: {"m.read": {user: {"ts": int(time.time() * 1000)}}}}
        edu = {"type": "m.receipt", "room_id": room, "content": read}
        assert await self._put([], [edu]) == 200

    async def _put(self, events: list[dict[str, Any]], passing: Sequence[Any] = ()) -> int:
        url = f"{self.appservice}/_matrix/app/v1/transactions/{next(self._txn)}"
        try:
            async with self._http.put(
                url,
                json={"events": events, "ephemeral": list(passing)},
                headers={"Authorization": f"Bearer {self.hs_token}"},
                timeout=aiohttp.ClientTimeout(total=10),
            ) as response:
                # an answer without Content-Length counts as failed
                return response.status if "Content-Length" in response.headers else 500
        except (TimeoutError, aiohttp.ClientError):
            return 599

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.open_media and "/media/v3/download/" in request.path:
            return web.Response(body=b"a file")
        if request.headers.get("Authorization") != f"Bearer {self.as_token}":
            return web.json_response({"errcode": "M_UNKNOWN_TOKEN", "error": "token"}, status=401)
        user = request.query.get("user_id", f"@sender:{DOMAIN}")
        is_media = "/media/v3/upload" in request.path
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
        if "media" in path[2:5]:
            return self._media(request, path[2:], raw)
        match request.method, *path[2:]:
            case "GET", "client", "versions":
                return {"versions": ["v1.11"]}
            case "POST", "client", "v3", "register":
                return self._register(body)
            case "PUT", "client", "v3", "devices", device if self.makes_devices:
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
            case "GET", "client", "v3", "joined_rooms":
                joined = [
                    each.id for each in self.rooms.values() if each.membership(user) == "join"
                ]
                return {"joined_rooms": joined}
            case "GET", "client", "v3", "devices", device:
                if device not in self.devices.get(user, ()):
                    raise Refusal(404, "M_NOT_FOUND")
                return {"device_id": device}
            case "GET", "client", "v3", "profile", mxid, "m.tz" if mxid in self.zones:
                return {"m.tz": self.zones[mxid]}
            case "GET", "client", "v3", "profile", mxid, "displayname" if "email" not in mxid:
                return {"displayname": name_of(mxid)}
            case "PUT", "client", "v3", "profile", mxid, field:
                self.profiles.setdefault(mxid, {})[field] = body[field]
                return {}
            case "GET", "client", "v1", "rooms", room, "relations", event, "m.replace":
                return {"chunk": self.edits(self.rooms[room], event)}
            case method, "client", "v3", "rooms", room, *rest:
                if room not in self.rooms:  # as Synapse says of a room that was deleted
                    raise Refusal(403, "M_FORBIDDEN", f"{user} not in room {room}")
                return self._in_room(method, self.rooms[room], rest, user, body, request.query)
        raise Refusal(404, "M_UNRECOGNIZED", request.path)

    def _media(self, request: web.Request, path: list[str], raw: bytes) -> Any:
        match request.method, *path:
            case "GET", "client", "v1", "media", "config":
                return {"m.upload.size": self.upload_limit}
            case "POST", "media", "v1", "create" if self.reserves_media:
                if self.fail_media:
                    self.fail_media -= 1
                    raise Refusal(500, "M_UNKNOWN", "the media repository is away")
                mxc = f"mxc://{DOMAIN}/m{next(self._ids)}"
                self.media[mxc] = None
                return {"content_uri": mxc}
            case "PUT", "media", "v3", "upload", server, media:
                name = request.query.get("filename", "")
                if self.fail_uploads.get(name, 0):
                    self.fail_uploads[name] -= 1
                    raise Refusal(500, "M_UNKNOWN", "the media repository is away")
                return self._fill(f"mxc://{server}/{media}", raw, request.content_type)
            case "GET", "client", "v1", "media", "download", server, media:
                data = self.media.get(f"mxc://{server}/{media}")
                if data is None:
                    raise Refusal(404, "M_NOT_FOUND")
                return data
            case "POST", "media", "v3", "upload":
                mxc = f"mxc://{DOMAIN}/m{next(self._ids)}"
                self._fill(mxc, raw, request.content_type)
                return {"content_uri": mxc}
        raise Refusal(404, "M_UNRECOGNIZED", request.path)

    def _register(self, body: Any) -> Any:
        user = f"@{body['username']}:{DOMAIN}"
        if not body.get("inhibit_login"):  # as under MAS, which says so first
            raise Refusal(400, "M_APPSERVICE_LOGIN_UNSUPPORTED")
        if user in self.devices:
            raise Refusal(400, "M_USER_IN_USE")
        self.devices[user] = set()
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
        self._refuse("createRoom")
        if self.fail_rooms_before_alias:
            self.fail_rooms_before_alias -= 1
            raise Refusal(500, "M_UNKNOWN", "no room is made now")
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
        for type_, key, content in state:
            self._add(room, user, type_, content, state_key=key, push=False)
        if self.fail_rooms_before_name:
            self.fail_rooms_before_name -= 1
            raise Refusal(500, "M_UNKNOWN", "failed with most of the room written")
        for key in ("name", "topic"):
            if key not in body:
                continue
            self._add(room, user, f"m.room.{key}", {key: body[key]}, state_key="", push=False)
        for guest in body.get("invite", ()):
            self._refuse(f"invite {guest}")
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
                if who != user and body["membership"] == "invite":
                    self._act(room, user, who, "invite", is_direct=body.get("is_direct"))
                    return {"event_id": room.state["m.room.member", who]["event_id"]}
                if who != user:
                    raise Refusal(403, "M_FORBIDDEN")
                more = {k: v for k, v in body.items() if k != "membership"}
                if "avatar_url" in more:
                    self._refuse("picture")
                self._refuse(f"join {who}")
                self._join(room, user, more)
                return {"event_id": room.state["m.room.member", who]["event_id"]}
            case "PUT", "state", type_, *key:
                return {"event_id": self._set_state(room, user, type_, "".join(key), body)}
            case "GET", "state", type_, *key:
                found = room.state.get((type_, "".join(key)))
                if found is None:
                    raise Refusal(404, "M_NOT_FOUND")
                return found["content"]
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
                return self._listed(room, chunk)
            case "GET", "event", event_id:
                return self._event(room, event_id)
            case "GET", "messages":
                return self._page(room, query)
        raise Refusal(404, "M_UNRECOGNIZED", "/".join(rest))

    def _act(self, room: Room, sender: str, user: str, membership: str, **content: Any) -> None:
        self._refuse(f"{membership} {user}")
        if room.membership(user) in (
            ("join", "invite") if membership == "invite" else ("", "leave")
        ):
            raise Refusal(403, "M_FORBIDDEN", "already so")
        self._member(room, sender, user, membership, **content)

    def _send(self, room: Room, user: str, type: str, txn: str, body: Any, query: Any) -> str:
        device = query.get("device_id", "")
        if device and device not in self.devices.get(user, ()):
            raise Refusal(400, self.unknown_device)
        if room.membership(user) != "join":
            raise Refusal(403, "M_FORBIDDEN", f"{user} not in room")
        self._refuse(type)
        relation = body.get("m.relates_to", {})
        if type == "m.reaction":
            pair = (user, relation["key"])
            if pair in self.reactions(room, relation["event_id"]):
                raise Refusal(400, "M_DUPLICATE_ANNOTATION")
        if device:
            key = (room.id, user, device, txn)
            if key not in self._by_device:
                self._by_device[key] = self._add(room, user, type, body)
            return self._by_device[key]
        memory = (room.id, txn)  # not by sender: equal ids of two ghosts collide
        if memory not in self._in_memory:
            self._in_memory[memory] = self._add(room, user, type, body)
        return self._in_memory[memory]

    def _refuse(self, what: str) -> None:
        if what in self.refuses:
            raise Refusal(403, "M_FORBIDDEN", f"{what} is refused here")

    def _set_state(self, room: Room, user: str, type: str, key: str, body: Any) -> str:
        self._refuse(type)
        if room.power(user) < 100:
            raise Refusal(403, "M_FORBIDDEN")
        old = room.state.get((type, key))
        if old and old["content"] == body:
            return str(old["event_id"])
        return self._add(room, user, type, body, state_key=key)

    async def _listed(self, room: Room, chunk: list[dict[str, Any]]) -> Any:
        if self.after_members:
            await self.after_members(room)
        return {"chunk": chunk}

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
