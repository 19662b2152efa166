"""The client API for the bot and the ghosts; implements ports.Chat."""

from __future__ import annotations

import asyncio
import json

import structlog
from mautrix.api import Method

from bridge import failpoint
from bridge.matrix.client import CLIENT
from bridge.matrix.client import quoted as _q
from bridge.matrix.ghosts import Ghosts
from bridge.model import Content, EventId, HomeserverError, Mxid, RoomId

log = structlog.get_logger("homeserver")

MARK = "app.postroom.post"
"""The content key that marks our events, by which we find them again."""
PATIENCE = 15.0
"""Seconds that a room may stay incomplete before it is abandoned."""


class Homeserver(Ghosts):
    """Changes in Matrix for the desk. Raises Transient when the homeserver does not answer,
    Permanent when it refuses."""

    async def ping(self, appservice: str) -> None:
        """Ask the homeserver to call us back; that also ends its back-off between pushes."""
        await self.request(Method.POST, f"_matrix/client/v1/appservice/{_q(appservice)}/ping", {})

    async def find_sent(self, room: RoomId, sender: str, dedup_key: str) -> EventId | None:
        """The event with this `mark` among the sender's last 200 in the room; None for none."""
        token: str | None = None
        for _ in range(2):
            query = {"dir": "b", "limit": "100", "filter": json.dumps({"senders": [sender]})}
            if token:
                query["from"] = token
            page = await self.request(
                Method.GET, f"{CLIENT}/rooms/{_q(room)}/messages", query=query
            )
            for event in page.get("chunk", ()):
                if (event.get("content") or {}).get(MARK) == dedup_key:
                    return EventId(event["event_id"])
            token = page.get("end")
            if token is None:
                break
        return None

    async def set_state(self, room: RoomId, type: str, state_key: str, content: Content) -> EventId:
        async with failpoint.around("matrix.state"):
            answer = await self.request(
                Method.PUT,
                f"{CLIENT}/rooms/{_q(room)}/state/{_q(type)}/{_q(state_key)}",
                content,
            )
        return EventId(answer["event_id"])

    async def kick(self, room: RoomId, mxid: Mxid, reason: str) -> None:
        """Remove a user; does nothing for one who is not in the room."""
        async with failpoint.around("matrix.member"):
            try:
                await self.request(
                    Method.POST,
                    f"{CLIENT}/rooms/{_q(room)}/kick",
                    {"user_id": mxid, "reason": reason},
                )
            except HomeserverError as error:
                if await self.membership(room, mxid) in ("join", "invite"):
                    raise error

    async def join(self, room: RoomId) -> None:
        async with failpoint.around("matrix.member"):
            await self.request(Method.POST, f"{CLIENT}/rooms/{_q(room)}/join", {})

    async def leave(self, room: RoomId) -> None:
        async with failpoint.around("matrix.member"):
            await self.request(Method.POST, f"{CLIENT}/rooms/{_q(room)}/leave", {})

    async def make_room(self, alias: str, body: Content) -> RoomId:
        """The room with this `alias`, created when there is none.

        createRoom has no transaction id: a repeat finds the alias taken, and Synapse sets the alias
        before the room is complete. Synapse writes most of a room at once, then name, topic and
        invitations, and may die in between. Missing names, topics and invitations are added. A room
        without its first part is unusable: an earlier request of ours may still be creating it, so
        we wait PATIENCE seconds, then abandon the room and create another. Where the homeserver
        refuses to invite, nobody is invited.
        """
        try:
            return await self._make_room(alias, body)
        except HomeserverError as error:
            if error.status != 403 or not body.get("invite"):
                raise
            log.warning("nobody is invited into a new room", error=str(error))
        return await self._make_room(alias, {**body, "invite": []})

    async def _make_room(self, alias: str, body: Content) -> RoomId:
        try:
            return await self._create(body)
        except HomeserverError as error:
            if error.code != "M_ROOM_IN_USE":
                raise
        path = f"{CLIENT}/directory/room/{_q(alias)}"
        found = RoomId((await self.request(Method.GET, path))["room_id"])
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not await self._is_usable(found, body):
            if asyncio.get_running_loop().time() > deadline:
                async with failpoint.around("matrix.room"):
                    await self.request(Method.DELETE, path)
                return await self._create(body)
            await asyncio.sleep(0.3)
        await self._complete(found, body)
        return found

    async def _create(self, body: Content) -> RoomId:
        async with failpoint.around("matrix.room"):
            answer = await self.request(Method.POST, f"{CLIENT}/createRoom", body)
        return RoomId(answer["room_id"])

    async def make_test_room(self, preset: str) -> RoomId:
        """Create a room to try things in, which nobody else can join."""
        closed = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "invite"}}
        body = {"preset": preset, "visibility": "private", "name": "Postroom check",
                "creation_content": {"m.federate": False}, "initial_state": [closed]}  # fmt: skip
        return await self._create(body)

    async def _complete(self, room: RoomId, body: Content) -> None:
        """Add the name, topic and invitations that an interrupted createRoom did not write."""
        for key in ("name", "topic"):
            if key in body and await self.state(room, f"m.room.{key}") is None:
                await self.set_state(room, f"m.room.{key}", "", {key: body[key]})
        for mxid in body.get("invite", ()):
            if not await self.membership(room, mxid):
                await self.invite(room, mxid)

    async def _is_usable(self, room: RoomId, body: Content) -> bool:
        try:
            power = await self.state(room, "m.room.power_levels")
            visibility = await self.state(room, "m.room.history_visibility")
        except HomeserverError:
            return False
        wanted = body["power_level_content_override"]
        return (
            visibility is not None
            and power is not None
            and power.get("state_default") == wanted["state_default"]
        )
