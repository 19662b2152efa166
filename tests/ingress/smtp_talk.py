"""A listener that keeps what it takes, and a client that says what it likes."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.ingress.envelope import Brought, Post
from bridge.ingress.guard import Guard
from bridge.ingress.smtp import AS_SMTP, Connection, factory

OURS, OTHER = "support@acme.example", "sales@acme.example"
LIMIT = 60_000_000


class Listener:
    """A listener that keeps what it takes in a list."""

    def __init__(self) -> None:
        self.taken: list[Brought] = []
        self.fault: BaseException | None = None
        self.full = ""
        self.guard = Guard(time.monotonic)
        self.connections: set[Connection] = set()

    async def find(self, spec: str) -> str | None:
        plain = spec.lower()
        if plain in ("postmaster", "postmaster@acme.example"):
            return ""
        return {OURS: "support", OTHER: "sales", "grüße@acme.example": "umlaut"}.get(plain)

    async def take(self, mail: Brought) -> None:
        if self.fault is not None:
            raise self.fault
        self.taken.append(mail)

    @asynccontextmanager
    async def listening(
        self, protocol: str = AS_SMTP, tls: ssl.SSLContext | None = None, limit: int = LIMIT
    ) -> AsyncIterator[int]:
        post = Post("mx.acme.example", limit, self.find, lambda: self.full, self.take)
        made = factory(post, self.guard, protocol, tls, patience=0.05, connections=self.connections)
        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()


class Talk:
    """A client that says what it likes, and hears every line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int, host: str = "127.0.0.1") -> Talk:
        talk = cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0)))
        talk.greeting = await talk.hear()
        return talk

    greeting = ""

    async def hear(self) -> str:
        """One answer, all its lines."""
        async with asyncio.timeout(30):
            lines = [await self.reader.readline()]
            while lines[-1][3:4] == b"-":
                lines.append(await self.reader.readline())
        return b"".join(lines).decode()

    async def say(self, *lines: str) -> str:
        """Say lines one by one; the answer to the last."""
        answer = ""
        for line in lines:
            self.writer.write(f"{line}\r\n".encode())
            answer = await self.hear()
        return answer

    async def begin(self, *to: str, hello: str = "EHLO x") -> str:
        return await self.say(
            hello, "MAIL FROM:<c@customer.example>", *(f"RCPT TO:<{each}>" for each in to), "DATA"
        )


def sent(port: int, raw: bytes, *to: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail("c@customer.example", list(to), raw)
