"""A scripted SMTP server: each message meets the next fault of a script; a durable journal
holds what it accepted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.oauth import CHALLENGE, token_of


@dataclass
class Fault:
    """What goes wrong with one connection. `at` is banner, mail, rcpt, data, dot or after.

    `answer` is sent at that point; `hang` says nothing; `cut` closes without an answer. At `after`
    the mail is journaled first: the server accepted it, and its answer is lost.
    """

    at: str
    answer: str | bytes = ""
    hang: bool = False
    cut: bool = False
    recipients: tuple[str, ...] = ()


@dataclass
class ScriptedSmtp:
    journal: Path
    script: list[Fault] = field(default_factory=list)
    password: str = ""
    lets_in: Callable[[str, str], bool] | None = None
    """Whether a user with an access token may log in; None for no XOAUTH2."""
    smtputf8: bool = False
    tls: ssl.SSLContext | None = None
    port: int = 0
    relay: Callable[[list[str], bytes], Awaitable[None]] | None = None
    """Brings what was accepted to where it is addressed."""
    rewrites: Callable[[bytes], tuple[bytes, str]] | None = None
    """What becomes of a mail on its way, and what the server answers to it."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._client, "127.0.0.1", self.port, limit=1 << 27, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[Any]] = set()
        self.connections = 0

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), 2)

    def accepted(self) -> list[dict[str, Any]]:
        if not self.journal.exists():
            return []
        entries = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return [{**entry, "raw": entry["raw"].encode("latin-1")} for entry in entries]

    def _accept(self, sender: str, recipients: list[str], raw: bytes) -> None:
        entry = {"from": sender, "to": recipients, "raw": raw.decode("latin-1"), "at": time.time()}
        with self.journal.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.script.pop(0) if self.script else Fault("")

        async def meets(at: str) -> bool:
            """Whether the fault strikes here; does what it does."""
            if fault.at != at:
                return False
            if fault.hang:
                await asyncio.sleep(3600)
            if fault.cut:
                writer.transport.abort()
                raise ConnectionError
            answer = fault.answer
            writer.write((answer if isinstance(answer, bytes) else answer.encode()) + b"\r\n")
            return True

        if await meets("banner"):
            return
        writer.write(b"220 scripted\r\n")
        sender, recipients = "", []
        while line := (await reader.readline()).decode("utf-8", "replace").strip():
            verb = line.split(" ")[0].upper().partition(":")[0]
            if verb == "EHLO":
                words = ["scripted", "8BITMIME", *["SMTPUTF8"] * self.smtputf8]
                words += ["AUTH PLAIN"] if self.password else []
                words += ["AUTH XOAUTH2"] if self.lets_in is not None else []
                for word in words[:-1]:
                    writer.write(f"250-{word}\r\n".encode())
                writer.write(f"250 {words[-1]}\r\n".encode())
            elif verb == "AUTH":
                writer.write(await self._log_in(line, reader, writer))
            elif verb == "MAIL":
                sender = line.partition("<")[2].partition(">")[0]
                if not await meets("mail"):
                    writer.write(b"250 ok\r\n")
            elif verb == "RCPT":
                spec = line.partition("<")[2].partition(">")[0]
                struck = fault.at == "rcpt" and (not fault.recipients or spec in fault.recipients)
                if not (struck and await meets("rcpt")):
                    recipients.append(spec)
                    writer.write(b"250 ok\r\n")
            elif verb == "DATA":
                if await meets("data"):
                    continue
                writer.write(b"354 go on\r\n")
                raw = await reader.readuntil(b"\r\n.\r\n")
                if await meets("dot"):
                    continue
                said = await self._take(sender, recipients, raw[:-3].replace(b"\r\n..", b"\r\n."))
                if not await meets("after"):
                    writer.write(f"{said}\r\n".encode())
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()

    async def _take(self, sender: str, recipients: list[str], raw: bytes) -> str:
        """Accept a mail; returns the answer to it."""
        said = "250 2.0.0 accepted"
        if self.rewrites is not None:
            raw, said = self.rewrites(raw)
        self._accept(sender, recipients, raw)
        if self.relay is not None:
            await self.relay(recipients, raw)
        return said

    async def _log_in(
        self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        import base64

        words = line.split(" ")
        if self.lets_in is not None and words[1].upper() == "XOAUTH2":
            user, token = token_of(words[2])
            if self.lets_in(user, token):
                return b"235 2.7.0 welcome\r\n"
            writer.write(f"334 {CHALLENGE}\r\n".encode())
            await reader.readline()
            return b"535 5.7.3 Authentication unsuccessful\r\n"
        if words[1].upper() == "PLAIN" and len(words) > 2:
            given = base64.b64decode(words[2]).split(b"\0")[2].decode()
        else:
            writer.write(b"334 VXNlcm5hbWU6\r\n")
            await reader.readline()
            writer.write(b"334 UGFzc3dvcmQ6\r\n")
            given = base64.b64decode(await reader.readline()).decode()
        good = given == self.password
        return b"235 welcome\r\n" if good else b"535 5.7.8 wrong password\r\n"
