"""Requests to the homeserver that only read."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mautrix.api import Method

from bridge.chat.content import cleaned
from bridge.matrix.client import CLIENT, TIMEOUT
from bridge.matrix.client import quoted as _q
from bridge.matrix.media import Media
from bridge.model import Content, EventId, HomeserverError, Mxid, RoomId


class Queries(Media):
    """The reading requests of the client API. Raises the same errors as Homeserver."""

    async def state(self, room: RoomId, type: str, state_key: str = "") -> Content | None:
        """A state event's content; None when the room has none."""
        path = f"{CLIENT}/rooms/{_q(room)}/state/{_q(type)}/{_q(state_key)}"
        try:
            answer = await self.request(Method.GET, path)
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise
        return answer if isinstance(answer, dict) else None

    async def membership(self, room: RoomId, mxid: Mxid) -> str:
        """The membership (join, invite, knock, leave or ban); empty for a user never there."""
        content = await self.state(room, "m.room.member", mxid)
        return str((content or {}).get("membership", ""))

    async def time_zone(self, mxid: Mxid) -> ZoneInfo | None:
        """The time zone in a user's profile (Client-Server API v1.16, `m.tz`); None where it has
        none, or the homeserver does not know that field."""
        path = f"{CLIENT}/profile/{_q(mxid)}/m.tz"
        try:
            answer = await self.request(Method.GET, path)
            return ZoneInfo(str(answer.get("m.tz")))
        except (HomeserverError, ValueError, ZoneInfoNotFoundError):
            return None

    async def joined_rooms(self) -> frozenset[RoomId]:
        """The rooms that the bot is in."""
        answer = await self.request(Method.GET, f"{CLIENT}/joined_rooms")
        return frozenset(map(RoomId, answer["joined_rooms"]))

    async def members(self, room: RoomId) -> dict[Mxid, str]:
        answer = await self.request(Method.GET, f"{CLIENT}/rooms/{_q(room)}/members")
        return {
            Mxid(event["state_key"]): str(event["content"].get("membership", ""))
            for event in answer.get("chunk", ())
        }

    async def event(self, room: RoomId, event: EventId) -> Content | None:
        """An event with its bundled edit; None when it does not exist or we may not see it."""
        path = f"{CLIENT}/rooms/{_q(room)}/event/{_q(event)}"
        try:
            answer = await self.request(Method.GET, path)
        except HomeserverError as error:
            if error.status in (400, 403, 404):
                return None
            raise
        try:
            return cleaned(answer) if isinstance(answer, dict) else None
        except RecursionError:  # no real message is nested so deeply
            return None

    async def sync(self, since: str | None) -> Any:
        """One /sync request, without waiting: the new events in all rooms of the bot."""
        filter_ = {
            "room": {
                "timeline": {"limit": 10},
                "state": {"types": []},
                "ephemeral": {"types": []},
                "account_data": {"types": []},
            },
            "presence": {"types": []},
            "account_data": {"types": []},
        }
        query = {"timeout": "0", "set_presence": "offline", "filter": json.dumps(filter_)}
        if since:
            query["since"] = since
        return await self.request(Method.GET, f"{CLIENT}/sync", query=query)

    async def hold(self, since: str, seconds: float) -> str:
        """Wait about `seconds` in a /sync request without rooms; raises Transient early when the
        homeserver dies. Returns the token for the next request."""
        query = {
            "timeout": str(int(seconds * 1000)),
            "set_presence": "offline",
            "since": since,
            "filter": json.dumps(
                {
                    "room": {"rooms": []},
                    "presence": {"types": []},
                    "account_data": {"types": []},
                }
            ),
        }
        answer = await self.request(
            Method.GET, f"{CLIENT}/sync", query=query, timeout=seconds + TIMEOUT
        )
        return str(answer["next_batch"])

    async def messages(self, room: RoomId, since: str) -> tuple[list[Content], str | None]:
        """(events, next token): a page of a room's events after a token; None at the end."""
        page = await self.request(
            Method.GET,
            f"{CLIENT}/rooms/{_q(room)}/messages",
            query={"dir": "f", "limit": "100", "from": since},
        )
        return list(page.get("chunk", ())), page.get("end")

    async def history(self, room: RoomId) -> list[Content]:
        """Every event of a room, newest first."""
        return await self._pages(f"{CLIENT}/rooms/{_q(room)}/messages", {"dir": "b"}, "end")

    async def edits(self, room: RoomId, event: EventId) -> list[Content]:
        """The edits of an event, also those sent by other users."""
        path = f"_matrix/client/v1/rooms/{_q(room)}/relations/{_q(event)}/m.replace"
        return await self._pages(path, {}, "next_batch")

    async def _pages(self, path: str, query: dict[str, str], next_: str) -> list[Content]:
        found: list[Content] = []
        token: str | None = None
        while True:
            more = {"from": token} if token else {}
            page = await self.request(Method.GET, path, query={"limit": "100", **query, **more})
            found += page.get("chunk", ())
            token = page.get(next_)
            if token is None or not page.get("chunk"):
                return found
