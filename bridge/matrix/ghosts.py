"""The users of our namespace: registers them, gives them a device and a name, sends as them."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import structlog
from mautrix.api import Method

from bridge import failpoint
from bridge.matrix.client import CLIENT
from bridge.matrix.client import quoted as _q
from bridge.matrix.names import Names
from bridge.model import Content, EventId, HomeserverError, Mxid, RoomId, Transient

log = structlog.get_logger("ghosts")

DEVICE = "POSTROOM"
"""The device id of each sender; with a device the homeserver remembers transaction ids over a
restart."""
PERHAPS_NO_DEVICE = ("M_UNKNOWN_DEVICE", "M_INVALID_PARAM", "M_FORBIDDEN")
"""What Synapse, tuwunel and continuwuity answer to a request from a device that does not exist."""


class Ghosts(Names):
    """The bot and the ghosts as users of the homeserver."""

    def __init__(self, url: str, token: str, bot: str) -> None:
        super().__init__(url, token, bot)
        self._ghosts: set[str] = set()
        self._makes_devices = True
        self._troubles["bot"] = "not registered yet", math.inf

    async def ensure_ghost(self, ghost: str, name: str = "") -> None:
        """Register a user of our namespace, then create its device.

        These are two requests, because Matrix Authentication Service refuses log-ins of appservices
        (M_APPSERVICE_LOGIN_UNSUPPORTED) before it checks whether the user exists; without a
        log-in, and with MSC4190, the same two requests work with every homeserver.

        `name` is the display name of a new user outside of rooms, and in them where the
        homeserver forbids names of its users for one room (`allow_per_room_profiles: false`).
        """
        if ghost in self._ghosts:
            return
        part = self._part(ghost)
        with self.watched(part, Transient, HomeserverError):
            async with failpoint.around("matrix.register"):
                is_new = await self._register(ghost)
                if is_new and name:  # later, a change of name would reset the names in all rooms
                    await asyncio.gather(self._make_device(ghost), self._set_name(ghost, name))
                else:
                    await self._make_device(ghost)
        self._ghosts.add(ghost)

    def _part(self, ghost: str) -> str:
        return "bot" if ghost == self.bot else "ghosts"

    async def _register(self, ghost: str) -> bool:
        """Register a user; False where it exists."""
        body = {
            "type": "m.login.application_service",
            "username": ghost[1:].partition(":")[0],
            "inhibit_login": True,
        }
        try:
            await self.request(Method.POST, f"{CLIENT}/register", body)
        except HomeserverError as error:
            if not error.is_code("M_USER_IN_USE"):
                raise
            return False
        return True

    async def _make_device(self, ghost: str) -> None:
        if not self._makes_devices:
            return
        try:
            await self.request(Method.PUT, f"{CLIENT}/devices/{DEVICE}", {}, as_user=ghost)
        except HomeserverError as error:
            if not error.is_code("M_UNRECOGNIZED"):
                raise
            # Dendrite; a repeat after its restart is then found by our own mark in the content
            self._makes_devices = False
            log.warning("the homeserver gives no devices to users of an appservice")

    async def _set_name(self, ghost: str, name: str) -> None:
        try:
            await self.request(
                Method.PUT, f"{CLIENT}/profile/{_q(ghost)}/displayname", {"displayname": name},
                as_user=ghost,
            )  # fmt: skip
        except HomeserverError as error:
            log.info("a ghost has no name outside of its rooms", ghost=ghost, error=str(error))

    async def send(
        self, room: RoomId, sender: str, type: str, content: Content, txn: str
    ) -> EventId:
        """Send a message event; the same `txn` again gives the same event."""
        path = f"{CLIENT}/rooms/{_q(room)}/send/{_q(type)}/{_q(txn)}"
        async with failpoint.around("matrix.send"):
            answer = await self._put_on_device(path, content, sender)
        return EventId(answer["event_id"])

    async def redact(self, room: RoomId, sender: str, event: EventId, txn: str) -> None:
        path = f"{CLIENT}/rooms/{_q(room)}/redact/{_q(event)}/{_q(txn)}"
        async with failpoint.around("matrix.redact"):
            await self._put_on_device(path, {}, sender)

    async def _put_on_device(self, path: str, content: Content, sender: str) -> Any:
        """Send a PUT from the sender's device, so that the homeserver remembers its transaction id
        over a restart; creates the device again where somebody deleted it."""
        await self.ensure_ghost(sender)
        if not self._makes_devices:
            return await self.request(Method.PUT, path, content, as_user=sender)
        on_device = {"device_id": DEVICE}
        try:
            return await self.request(Method.PUT, path, content, as_user=sender, query=on_device)
        except HomeserverError as error:
            if not error.is_code(*PERHAPS_NO_DEVICE) or not await self._lacks_device(sender, error):
                raise
            self.note_trouble(self._part(sender), str(error))
        self._ghosts.discard(sender)
        await self.ensure_ghost(sender)
        return await self.request(Method.PUT, path, content, as_user=sender, query=on_device)

    async def _lacks_device(self, sender: str, error: HomeserverError) -> bool:
        if error.is_code("M_UNKNOWN_DEVICE"):
            return True
        try:
            await self.request(Method.GET, f"{CLIENT}/devices/{DEVICE}", as_user=sender)
        except HomeserverError as answer:
            return answer.status == 404
        return False

    async def set_bot_profile(self, name: str, picture: str) -> None:
        """Set the bot's display name and avatar in its profile."""
        profile = f"{CLIENT}/profile/{_q(self.bot)}"
        async with failpoint.around("matrix.member"):
            await self.request(Method.PUT, f"{profile}/displayname", {"displayname": name})
            if picture:
                await self.request(Method.PUT, f"{profile}/avatar_url", {"avatar_url": picture})

    async def invite(self, room: RoomId, mxid: Mxid, *, direct: bool = False) -> None:
        """Invite a user; does nothing for one who is in the room or invited already. `direct`: into
        a direct chat, which only the state event itself can say (Client-Server API v1.14 §11.9)."""
        here = f"{CLIENT}/rooms/{_q(room)}"
        async with failpoint.around("matrix.member"):
            try:
                if direct:
                    content = {"membership": "invite", "is_direct": True}
                    await self.request(
                        Method.PUT, f"{here}/state/m.room.member/{_q(mxid)}", content
                    )
                else:
                    await self.request(Method.POST, f"{here}/invite", {"user_id": mxid})
            except HomeserverError as error:
                if await self.membership(room, mxid) not in ("join", "invite"):
                    raise error

    async def join_ghost(self, room: RoomId, ghost: str, name: str, picture: str) -> None:
        """Join as a ghost with its name and avatar (an mxc address, or empty), in one request;
        invites the ghost first where that is needed."""
        await self.ensure_ghost(ghost, name)
        path = f"{CLIENT}/rooms/{_q(room)}/state/m.room.member/{_q(ghost)}"
        content = {"membership": "join", "displayname": name}
        if picture:
            content["avatar_url"] = picture
        async with failpoint.around("matrix.member"):
            try:
                await self.request(Method.PUT, path, content, as_user=ghost)
            except HomeserverError as error:
                if error.status != 403:
                    raise
                await self.invite(room, Mxid(ghost))
                await self.request(Method.PUT, path, content, as_user=ghost)
