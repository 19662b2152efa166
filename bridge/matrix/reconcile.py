"""The reconciler: finds events by /sync that the homeserver never pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bridge.chat.content import object_at
from bridge.matrix.homeserver import Homeserver
from bridge.model import HomeserverError, RoomId, Transient
from bridge.ports import Store

log = structlog.get_logger("reconciler")

EVERY = 60.0
"""Seconds between two /sync requests."""
TOKEN = "sync-token"  # noqa: S105 - the name of a value


class Reconciler:
    """Hands new events in the bot's rooms to the same function as the pushes.

    Synapse loses or delays a push when it dies at the wrong moment, but /sync shows every event
    that it stored.
    """

    def __init__(
        self,
        homeserver: Homeserver,
        store: Store,
        take: Callable[[list[Any]], Awaitable[int]],
        every: float = EVERY,
    ) -> None:
        self._homeserver, self._store, self._take = homeserver, store, take
        self._every = every

    async def run(self) -> None:
        """Run `look` at start, every minute, and as soon as the homeserver is back after a gap.
        Ends only when cancelled: after any error it tries again."""
        delay = 1.0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self.look()
                delay = 1.0
                await self._wait(began)
                continue
            except (Transient, HomeserverError) as error:
                log.warning("the homeserver is away", error=str(error))
            except Exception:
                log.exception("the look failed")
            await asyncio.sleep(delay)
            delay = min(10.0, delay * 1.5)

    async def _wait(self, began: float) -> None:
        """Wait until the next look. Meanwhile a request to Synapse is kept open: if Synapse
        dies, the request fails at once and the next look follows without delay, because pushes
        get lost then."""
        loop = asyncio.get_running_loop()
        async with self._store.reading() as tx:
            token = await tx.settings.value(TOKEN) or ""
        while (left := began + self._every - loop.time()) > 0:
            held = loop.time()
            token = await self._homeserver.hold(token, left)
            if loop.time() - held < 0.5:  # answered at once: do not ask in a busy loop
                await asyncio.sleep(min(left, 0.5))

    async def look(self) -> int:
        """Make one /sync request and store its events; returns how many had not been pushed."""
        async with self._store.reading() as tx:
            since = await tx.settings.value(TOKEN)
        answer = await self._homeserver.sync(since)
        events: list[Any] = []
        for room, joined in object_at(answer, "rooms", "join").items():
            timeline = object_at(joined, "timeline")
            if timeline.get("limited") and since:
                events += await self._missed(RoomId(room), since)
            events += _in_room(room, timeline.get("events"))
        found = await self._take(events) if events else 0
        token = answer.get("next_batch") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise Transient("the homeserver's answer to /sync names no next_batch")
        async with self._store.transaction("reconciled") as tx:
            await tx.settings.set_value(TOKEN, token)
        if found and since:
            log.info("found events that were not pushed", count=found)
        return found

    async def _missed(self, room: RoomId, since: str) -> list[Any]:
        """The events of a room after `since`, where /sync shows only its last ten."""
        events: list[Any] = []
        token: str | None = since
        for _ in range(100):
            if token is None:
                break
            page, token = await self._homeserver.messages(room, token)
            events += _in_room(room, page)
            if not page:
                break
        return events


def _in_room(room: str, events: Any) -> list[Any]:
    """The events of a list, each with its room id; items that are not objects stay unchanged, to be
    parked later."""
    return [
        {**event, "room_id": room} if isinstance(event, dict) else event
        for event in (events if isinstance(events, list) else [])
    ]
