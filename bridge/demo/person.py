"""A Matrix client for the demo's people: joins rooms, sends, reacts, and waits for events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp

CLIENT = "/_matrix/client/v3"
Predicate = Callable[[dict[str, Any]], bool]


class Person:
    """One logged-in user. Every wait has a deadline in seconds and raises TimeoutError with what
    is missing."""

    def __init__(self, url: str, mxid: str, token: str) -> None:
        self.url, self.mxid = url, mxid
        self._since = ""
        self._rooms: dict[str, tuple[str, str]] = {}
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})

    async def close(self) -> None:
        await self._http.close()

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Send one request. Raises RuntimeError with the homeserver's error."""
        async with self._http.request(
            method, f"{self.url}{path}", json=body, params=query
        ) as response:
            answer = await response.json()
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer}")
            return answer

    async def room(self, name: str, timeout: float = 30.0) -> str:
        """The id of the room with this name; joins it where that is needed."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            await self._look()
            for room, (called, membership) in self._rooms.items():
                if called == name and membership in ("invite", "join"):
                    if membership == "invite":
                        await self.join(room)
                    return room
        raise TimeoutError(f"{self.mxid} sees no room {name!r}")

    async def _look(self) -> None:
        """Update the known rooms by /sync, which waits up to a second for new events."""
        query = {"timeout": "1000", "set_presence": "offline"}
        if self._since:
            query["since"] = self._since
        answer = await self.call("GET", f"{CLIENT}/sync", **query)
        self._since = answer["next_batch"]
        rooms = answer.get("rooms", {})
        for room, invited in rooms.get("invite", {}).items():
            self._note(room, "invite", invited["invite_state"]["events"])
        for room, joined in rooms.get("join", {}).items():
            events = [*joined["state"]["events"], *joined["timeline"]["events"]]
            self._note(room, "join", events)
        for room in rooms.get("leave", {}):
            self._note(room, "leave", [])

    def _note(self, room: str, membership: str, events: list[dict[str, Any]]) -> None:
        called = self._rooms.get(room, ("", ""))[0]
        for event in events:
            if event["type"] == "m.room.name":
                called = event["content"].get("name", "")
        self._rooms[room] = (called, membership)

    async def join(self, room: str, via: str = "") -> None:
        query = {"server_name": via} if via else {}
        await self.call("POST", f"{CLIENT}/join/{_q(room)}", {}, **query)

    async def messages(self, room: str, limit: int = 100) -> list[dict[str, Any]]:
        """The room's newest events, oldest first, with edits applied."""
        page = await self.call(
            "GET", f"{CLIENT}/rooms/{_q(room)}/messages", dir="b", limit=str(limit)
        )
        events = list(reversed(page["chunk"]))
        return [_edited(event) for event in events]

    async def see(self, room: str, what: str, wanted: Predicate, timeout: float = 30.0) -> Any:
        """Wait for an event that `wanted` accepts."""
        deadline = time.monotonic() + timeout
        while True:
            for event in await self.messages(room):
                if wanted(event):
                    return event
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.mxid} waits in vain for {what}")
            await asyncio.sleep(0.15)

    async def send(self, room: str, content: dict[str, Any], txn: str, type: str = "") -> str:
        """Send an event; the same `txn` again gives the same event."""
        kind = type or "m.room.message"
        path = f"{CLIENT}/rooms/{_q(room)}/send/{kind}/{_q(txn)}"
        return str((await self.call("PUT", path, content))["event_id"])

    async def say(self, room: str, text: str, txn: str) -> str:
        return await self.send(room, {"msgtype": "m.text", "body": text}, txn)

    async def react(self, room: str, event: str, key: str, txn: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event, "key": key}
        return await self.send(room, {"m.relates_to": relation}, txn, "m.reaction")

    async def upload(self, name: str, type: str, data: bytes) -> str:
        async with self._http.post(
            f"{self.url}/_matrix/media/v3/upload",
            data=data,
            params={"filename": name},
            headers={"Content-Type": type},
        ) as response:
            return str((await response.json())["content_uri"])

    async def download(self, mxc: str) -> bytes:
        path = mxc.removeprefix("mxc://")
        async with self._http.get(
            f"{self.url}/_matrix/client/v1/media/download/{path}"
        ) as response:
            return await response.read()


def _edited(event: dict[str, Any]) -> dict[str, Any]:
    edit = event.get("unsigned", {}).get("m.relations", {}).get("m.replace")
    if edit and edit.get("sender") == event.get("sender") and "m.new_content" in edit["content"]:
        relation = {k: v for k, v in event["content"].items() if k == "m.relates_to"}
        return {**event, "content": {**edit["content"]["m.new_content"], **relation}}
    return event


def _q(part: str) -> str:
    return quote(part, safe="")
