"""`/health`: whether the bridge does its work, for people and load balancers."""

from __future__ import annotations

import time
from typing import Any, Protocol

from aiohttp import web

from bridge.config import Settings
from bridge.model import Transient
from bridge.ports import Store

STALE = 600.0
"""Seconds without a good check after which an account counts as down."""


class Away(Protocol):
    """Since when the homeserver does not answer; None while it does."""

    away_since: float | None


class HealthPage:
    """200 when everything works, 503 when a part does not; JSON names each part."""

    def __init__(self, store: Store, settings: Settings, homeserver: Away) -> None:
        self._store, self._settings, self._homeserver = store, settings, homeserver
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        app = web.Application()
        app.router.add_get("/health", self._show)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _show(self, request: web.Request) -> web.Response:
        parts: dict[str, Any] = {
            "homeserver": "ok" if self._homeserver.away_since is None else "does not answer"
        }
        try:
            async with self._store.reading() as tx:
                counts = await tx.jobs.counts()
                parts["database"] = "ok"
                parts["jobs"] = counts
                for account, inboxes in self._settings.accounts().items():
                    health = await tx.keep.health(account)
                    for inbox in inboxes:
                        parts[f"inbox {inbox.id}"] = _inbox(inbox.paused, health, time.time())
        except Transient as error:
            parts["database"] = str(error)
        good = all(value in ("ok", "paused") for key, value in parts.items() if key != "jobs")
        return web.json_response(parts, status=200 if good else 503)


def _inbox(paused: bool, health: tuple[float, str, float] | None, now: float) -> str:
    if paused:
        return "paused"
    if health is None:
        return "not checked yet"
    good_at, problem, _ = health
    if problem:
        return problem
    return "ok" if now - good_at < STALE else "no successful check for 10 minutes"
