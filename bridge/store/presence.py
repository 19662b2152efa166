"""The PostgreSQL connection that shows other processes that this one is alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

log = structlog.get_logger("postgres")

CHANNEL = "postroom"
HELD = 0x506F7374
"""First key of our session-level advisory locks ("Post"); the second is the hash of a name."""
AGAIN = 1.0
"""Seconds between tries to connect, or to get a lock that another process holds."""
TIMEOUT, BEAT = 20.0, 10.0
KEEPALIVE = {
    "tcp_keepalives_idle": "20", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"
}  # fmt: skip
"""Makes the server free the locks of a machine that vanished without closing its connection."""


class Presence:
    """LISTENs, and holds advisory locks: for this process's name and for the tasks it claimed.

    PostgreSQL frees them when the connection ends, so the locks of a dead process are free at once,
    and clocks of different machines need not be compared.
    """

    def __init__(self, url: str, name: str, told: Callable[[], None]) -> None:
        self._url, self._name, self._told = url, name, told
        self._conn: asyncpg.Connection | None = None
        self._lost = asyncio.Event()
        self._lock = asyncio.Lock()
        self._task = asyncio.create_task(self._run(), name="postgres presence")

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def claim(self, what: str) -> asyncio.Event:
        """Wait until we hold the lock `what`; the event is set when its connection breaks."""
        while True:
            async with self._lock:
                conn, lost = self._conn, self._lost
                if conn is not None and not lost.is_set():
                    try:
                        if await _held(conn, what):
                            return lost
                    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                        log.warning("cannot claim", what=what, error=str(error))
            await asyncio.sleep(AGAIN)

    async def _run(self) -> None:
        while True:
            try:
                conn = await asyncpg.connect(self._url, timeout=TIMEOUT, server_settings=KEEPALIVE)
                lost = asyncio.Event()
                try:
                    conn.add_termination_listener(lambda _, lost=lost: lost.set())
                    await conn.add_listener(CHANNEL, lambda *_: self._told())
                    if not await _held(conn, self._name):
                        raise ConnectionError("our last connection still holds our name")
                    self._conn, self._lost = conn, lost
                    self._told()  # a notification may have been missed before LISTEN
                    await self._beat(conn, lost)
                finally:
                    lost.set()
                    conn.terminate()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.warning("not listening", error=str(error) or type(error).__name__)
            await asyncio.sleep(AGAIN)

    async def _beat(self, conn: asyncpg.Connection, lost: asyncio.Event) -> None:
        """Check the connection regularly; returns or raises when it breaks or does not answer."""
        while not lost.is_set():
            try:
                async with asyncio.timeout(BEAT):
                    await lost.wait()
            except TimeoutError:
                async with self._lock:
                    await conn.fetchval("SELECT 1", timeout=BEAT)


async def _held(conn: asyncpg.Connection, name: str) -> bool:
    return bool(
        await conn.fetchval(
            "SELECT pg_try_advisory_lock($1::int, hashtext($2))", HELD, name, timeout=TIMEOUT
        )
    )
