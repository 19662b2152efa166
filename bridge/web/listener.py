"""A small HTTP server for a table of paths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from bridge.model import Permanent

PASSES = 5
"""Turns of the event loop until a connection that was accepted in this moment is known to aiohttp,
which closes those that it knows."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Listener:
    """Answers GET for the paths of a table, and POST for those of another; keeps no access log."""

    def __init__(
        self, routes: Mapping[str, Handler], posts: Mapping[str, Handler] | None = None
    ) -> None:
        self._routes, self._posts = routes, posts or {}
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Start to listen. Raises OSError if the address is in use."""
        app = web.Application()
        for path, handler in self._routes.items():
            app.router.add_get(path, handler)
        for path, handler in self._posts.items():
            app.router.add_post(path, handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def close(self) -> None:
        if self._runner is None:
            return
        for site in self._runner.sites:
            await site.stop()
        for _ in range(PASSES):
            await asyncio.sleep(0)
        await self._runner.cleanup()


async def bind(
    what: str, host: str, port: int, start: Callable[[str, int], Awaitable[None]]
) -> None:
    """Start to listen. Raises Permanent with the cure where the address is in use."""
    try:
        await start(host, port)
    except OSError as error:
        raise Permanent(
            f"{what}: cannot listen on {host}:{port}: {error.strerror}; stop what uses the port or"
            f" choose another one in config.yaml"
        ) from error
