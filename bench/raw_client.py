"""The very requests a mail needs, by a raw client: what the bridge is measured against."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

import aiohttp

CLIENT = "/_matrix/client/v3"
BOT = "@email_bot:real.local"


class RawClient:
    """An appservice's requests, each asserted to succeed."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(limit=32),
        )
        self._ids = itertools.count(1)

    async def close(self) -> None:
        await self._http.close()

    async def call(self, method: str, path: str, body: Any, user: str = BOT, **query: str) -> Any:
        async with self._http.request(
            method, f"{self._url}{path}", json=body, params={"user_id": user, **query}
        ) as answer:
            text = await answer.text()
            assert answer.ok, f"{method} {path}: {answer.status} {text}"
            return await answer.json()

    async def send(self, room: str, user: str, type: str, content: Any) -> str:
        path = f"{CLIENT}/rooms/{quote(room)}/send/{type}/raw{next(self._ids)}"
        answer = await self.call("PUT", path, content, user, device_id="POSTROOM")
        return str(answer["event_id"])

    async def follow_up(self, room: str, ghost: str, content: Any) -> None:
        """A mail in a conversation that waits already: one event."""
        await self.send(room, ghost, "m.room.message", content)

    async def conversation(
        self, body: Any, queue: str, space: str, content: Any
    ) -> tuple[str, str]:
        """A new conversation: ghost and device, room, join, mail, space, card, ✋, summary."""
        number = next(self._ids)
        local = f"email_raw{number}=40bench.example"
        ghost = f"@{local}:real.local"
        await self.call("POST", f"{CLIENT}/register", {
            "type": "m.login.application_service", "username": local, "inhibit_login": True,
        })  # fmt: skip
        await self.call("PUT", f"{CLIENT}/devices/POSTROOM", {}, ghost)
        room_body = {**body, "room_alias_name": f"email_raw_{number}", "invite": [ghost]}
        room = (await self.call("POST", f"{CLIENT}/createRoom", room_body))["room_id"]
        member = f"{CLIENT}/rooms/{quote(room)}/state/m.room.member/{quote(ghost)}"
        await self.call("PUT", member, {"membership": "join", "displayname": local}, ghost)
        await self.send(room, ghost, "m.room.message", content)
        child = f"{CLIENT}/rooms/{quote(space)}/state/m.space.child/{quote(room)}"
        await self.call("PUT", child, {"via": ["real.local"]})
        card = await self.send(queue, BOT, "m.room.message", content)
        relation = {"rel_type": "m.annotation", "event_id": card, "key": "✋"}
        await self.send(queue, BOT, "m.reaction", {"m.relates_to": relation})
        edit = {"rel_type": "m.replace", "event_id": card}
        await self.send(queue, BOT, "m.room.message",
                        {**content, "m.new_content": content, "m.relates_to": edit})  # fmt: skip
        return room, ghost
