"""A TCP proxy before a server: cuts after so many bytes, cuts now, or goes silent."""

from __future__ import annotations

import asyncio
import contextlib


class Proxy:
    def __init__(self, port: int) -> None:
        self._target = port
        self.cut_after: int | None = None
        """Bytes from the server after which the next connection is cut, once."""
        self.frozen = False
        """Half-open: connections stand, and nothing passes any more."""
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers |= {writer, there}
            try:
                await asyncio.gather(
                    self._pass(reader, there, counts=False),
                    self._pass(there_reader, writer, counts=True),
                )
            finally:
                for each in (writer, there):
                    self._writers.discard(each)
                    each.close()
        self._tasks.discard(task)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        while data := await reader.read(1 << 14):
            while self.frozen:
                await asyncio.sleep(0.02)
            if counts and self.cut_after is not None:
                self.cut_after -= len(data)
                if self.cut_after <= 0:
                    writer.write(data[: self.cut_after or None])
                    self.cut_after = None
                    await writer.drain()
                    self.cut()
                    return
            writer.write(data)
            await writer.drain()
        writer.close()
