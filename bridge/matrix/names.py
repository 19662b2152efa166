"""The names of users, as our rooms and the homeserver's profiles know them."""

from __future__ import annotations

import math
import time

from mautrix.api import Method

from bridge.matrix.client import CLIENT
from bridge.matrix.client import quoted as _q
from bridge.matrix.queries import Queries
from bridge.model import HomeserverError, Mxid, RoomId

FRESH = 600.0
"""Seconds that a name is shown before it is looked up again."""


class Names(Queries):
    """Looks up display names. Raises the same errors as Homeserver."""

    def __init__(self, url: str, token: str, bot: str) -> None:
        super().__init__(url, token, bot)
        self._names: dict[Mxid, tuple[str, float]] = {}

    async def display_name(self, room: RoomId, mxid: Mxid) -> str:
        """The display name of a user in a room, otherwise that of the profile if the user is of our
        homeserver; the localpart when there is none."""
        content = await self.state(room, "m.room.member", mxid)
        name = (content or {}).get("displayname")
        server = self.bot.partition(":")[2]
        if not name and mxid.partition(":")[2] == server:
            name = await self._profile_name(mxid)
        return name.strip() if isinstance(name, str) and name.strip() else _localpart(mxid)

    async def shown_name(self, room: RoomId, mxid: Mxid) -> str:
        """The name to show for a user, at most ten minutes old; with the localpart where somebody
        else has that name. No refusal stops what it is shown in."""
        name, at = self._names.get(mxid, ("", -math.inf))
        if time.monotonic() - at > FRESH:
            try:
                name = await self.display_name(room, mxid)
            except HomeserverError:
                name = name or _localpart(mxid)
            self._names[mxid] = name, time.monotonic()
        others = (each for who, (each, _) in self._names.items() if who != mxid)
        if any(name.casefold() == each.casefold() for each in others):
            return f"{name} ({_localpart(mxid)})"
        return name

    async def _profile_name(self, mxid: Mxid) -> object:
        try:
            answer = await self.request(Method.GET, f"{CLIENT}/profile/{_q(mxid)}/displayname")
        except HomeserverError:
            return None
        return answer.get("displayname") if isinstance(answer, dict) else None


def _localpart(mxid: Mxid) -> str:
    return mxid[1:].partition(":")[0]
