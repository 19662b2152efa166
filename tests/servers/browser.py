"""A real browser whose every connection to another host ends at a tripwire."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from playwright.async_api import Browser, async_playwright

from tests import provision

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
)  # fmt: skip


HOST = re.compile(rb"(?:[a-z0-9-]+\.)+[a-z]{2,}")


@dataclass
class Tripwire:
    """A server that counts who comes, and says nothing."""

    port: int = 0
    hits: list[bytes] = field(default_factory=list)

    def called(self, named: str) -> list[str]:
        """The hosts that were asked for and stand in a text. What a browser calls on its own
        account, to look for news of itself, stands in none."""
        found = set()
        for hit in self.hits:  # a request's Host, or the name in a greeting of TLS
            found |= {each.decode() for each in HOST.findall(hit.lower())}
        return sorted(host for host in found if host in named.lower())

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._hit, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    async def _hit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                self.hits.append(await reader.read(4000))
        writer.close()


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[tuple[Browser, Tripwire]]:
    """Chromium for the time of a `with`; names of hosts lead to the tripwire."""
    wire = Tripwire()
    await wire.start()
    rules = f"MAP * 127.0.0.1:{wire.port}, EXCLUDE 127.0.0.1"
    try:
        async with async_playwright() as play:
            browser = await play.chromium.launch(
                executable_path=provision.chromium(),
                args=[*QUIET, f"--host-resolver-rules={rules}"],
            )
            try:
                yield browser, wire
            finally:
                await browser.close()
    finally:
        await wire.stop()
