"""Reads mail: the usual here, the large and the odd in a process that may fail."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

import structlog

from bridge.confined import GOOD, WALL
from bridge.mail import reading
from bridge.mail.parse import part_bytes
from bridge.mail.quote import Body
from bridge.model import Mail, Permanent, Transient

log = structlog.get_logger("reader")

PATIENCE = WALL + 2.0
"""Seconds one reading may take."""
BESIDE = 20_000
"""Bytes from which a mail is read beside the event loop."""
AT_ONCE = 2
"""Readings that may run apart at once; each can take a core and much memory."""


class MailReader:
    """Implements ports.Reader. `close` ends the process beside us."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._process: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None

    async def close(self) -> None:
        await asyncio.to_thread(self._forget)

    async def read(self, raw: bytes, authserv_id: str, own: frozenset[str]) -> tuple[Mail, Body]:
        """The mail and its folded text; its headers and first words alone where reading the rest
        fails or takes too much. Never fails because of what is in the mail."""
        if not reading.is_odd(raw):
            if len(raw) < BESIDE:
                return reading.read(raw, authserv_id, own)
            return await asyncio.to_thread(reading.read, raw, authserv_id, own)
        try:
            answer = await self._apart(["read", authserv_id, *sorted(own)], raw)
            return reading.RESULT.validate_json(answer)
        except Permanent as error:
            problem = str(error)[:200]
        except ValueError:  # what it says may hold the mail's words
            problem = "the answer of the reading process cannot be read"
        log.warning("mail not read whole", error=problem)
        return await asyncio.to_thread(reading.given_up, raw, problem, authserv_id, own)

    async def part(self, raw: bytes, part: int) -> bytes:
        """The bytes of one file of a mail. Raises Permanent when they cannot be had."""
        if reading.is_odd(raw):
            return await self._apart(["part", part], raw)
        try:
            return await asyncio.to_thread(part_bytes, raw, part)
        except IndexError as error:
            raise Permanent(str(error)) from error

    async def _apart(self, request: Sequence[object], raw: bytes) -> bytes:
        """Have a child of bridge.confined do it. Raises Permanent with what it said, or where it
        ran out of something."""
        async with self._free:
            reader, writer = await asyncio.open_connection(sock=self._handed_over())
            try:
                async with asyncio.timeout(PATIENCE):
                    writer.write(json.dumps(request).encode() + b"\n")
                    writer.write(raw)
                    writer.write_eof()
                    answer = await reader.read()
            except TimeoutError as error:
                raise Permanent("reading it took too long") from error
            except OSError as error:
                raise Permanent("reading it took too much time or memory") from error
            finally:
                writer.transport.abort()
        if not answer:
            raise Permanent("reading it took too much time or memory")
        if not answer.startswith(GOOD):
            raise Permanent(answer[1:].decode("utf-8", "replace"))
        return answer[1:]

    def _handed_over(self) -> socket.socket:
        """Our end of a connection whose other end a new child has. Raises Transient."""
        ours, theirs = socket.socketpair()
        with theirs:
            for _ in range(2):
                try:
                    socket.send_fds(self._opened(), [b"x"], [theirs.fileno()])
                    return ours
                except OSError as error:  # it was ended by somebody: begin another
                    log.warning("the reading process is gone", error=str(error))
                    self._forget()
        ours.close()
        raise Transient("no process can be started to read a mail")

    def _opened(self) -> socket.socket:
        if self._door is not None:
            return self._door
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", "bridge.confined", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], env=_environment(), start_new_session=True,
            )  # fmt: skip
        self._door = ours
        return ours

    def _forget(self) -> None:
        if self._door is not None:
            self._door.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._door = self._process = None


def _environment() -> dict[str, str]:
    """Where our code is, and nothing else: no secret of the bridge's environment."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
