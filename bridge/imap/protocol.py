"""IMAP on the wire: aioimaplib's protocol with its receiving side replaced.

The library recurses once per line, rescans every line of a FETCH, deletes "* " inside strings,
leaves pending commands hanging when the connection dies, and supports neither STARTTLS nor a limit
for literals. Here one loop splits lines and literals, and dispatches whole responses.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

from aioimaplib import aioimaplib as lib

from bridge.imap.syntax import CommandRefused, ConnectionLost, ImapError, TooLarge, clean

logging.getLogger("aioimaplib.aioimaplib").setLevel(logging.INFO)  # DEBUG prints mail and tokens

MAX_LINE = 16 << 20
"""Maximum bytes of a line without CRLF: UID SEARCH answers with one line for a whole folder."""
MAX_KEPT = 64 << 20
"""Maximum bytes of the lines kept for one command, counting 200 bytes of overhead for each."""
SMALL_LITERAL = 64 << 10
"""Maximum bytes of literals, unless the command asked for more."""
LITERAL = re.compile(rb"\{(\d+)\}\Z")
# Responses that end in free text: no literal there.
STATUS = frozenset((b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"))


class Command(lib.Command):  # type: ignore[misc]  # the library has no types
    """A command that collects the responses named in `want`, each as (line, literal, line, …)."""

    want: Collection[bytes] = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.replies: list[list[bytes]] = []
        self.size = 0

    @property
    def text(self) -> str:
        return f"{self._resp_result} {clean(self._resp_lines[-1])}" if self._resp_lines else ""

    def fail(self, error: Exception) -> None:
        self._exception = error
        self._timer.cancel()
        self._event.set()


class Protocol(lib.IMAP4ClientProtocol):  # type: ignore[misc]  # the library has no types
    """Runs one command at a time. One loop splits lines and literals, and dispatches whole
    responses."""

    transport: Any
    pending_sync_command: Any

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.error: ImapError | None = None
        self.greeting = ""
        self.news = False  # the server announced a change since this was last cleared
        self.acked = False
        self.challenge = b""
        self.changed, self.closed = asyncio.Event(), asyncio.Event()
        self.progress: Callable[[], None] | None = None
        self.max_literal = SMALL_LITERAL
        self._answers: deque[bytes] = deque()
        self._buffer, self._scanned = bytearray(), 0
        self._parts: list[bytes] = []
        self._literal, self._missing = bytearray(), 0
        self._open = 0  # size of the response being received
        self._literals = 0  # literal bytes announced since the last command
        self._deaf = False

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self.progress:
            self.progress()
        try:
            self._receive(data)
        except ImapError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - the library's errors print the password
            self.fail(ConnectionLost(f"broken IMAP from the server ({type(error).__name__})"))

    def _receive(self, data: bytes) -> None:
        buffer, pos = self._buffer, 0
        buffer += data
        while not self._deaf:
            if self._missing:
                piece = buffer[pos : pos + self._missing]
                self._literal += piece
                self._missing -= len(piece)
                pos += len(piece)
                if self._missing:
                    break
                self._parts.append(bytes(self._literal))
                self._literal = bytearray()
            end = buffer.find(b"\r\n", max(pos, self._scanned))
            if end < 0:
                if len(buffer) - pos > MAX_LINE:
                    raise TooLarge("line without end from the server")
                break
            line, pos = bytes(buffer[pos:end]), end + 2
            self._scanned = 0
            self._open += len(line) + 200
            if self._open > MAX_KEPT:
                raise TooLarge("endless response from the server")
            if self._begin_literal(line):
                continue
            parts, self._parts = [*self._parts, line], []
            self._dispatch(parts)
        if self._deaf:
            buffer.clear()  # failed, or STARTTLS: no plain text may be read after it
            return
        del buffer[:pos]
        self._scanned = max(0, len(buffer) - 1)

    def _begin_literal(self, line: bytes) -> bool:
        found = LITERAL.search(line, max(0, len(line) - 40)) if line.endswith(b"}") else None
        if not found or (
            not self._parts
            and (not line.startswith(b"* ") or line.split(None, 2)[1].upper() in STATUS)
        ):
            return False
        size = int(found[1])
        self._literals += size
        if self._literals > self.max_literal:
            raise TooLarge(
                f"{self._literals} bytes announced by the server, {self.max_literal} allowed"
            )
        self._parts.append(line)
        self._missing = size
        if not size:
            self._parts.append(b"")
        return True

    def _dispatch(self, parts: list[bytes]) -> None:
        line, command = parts[0], self.command_pending
        size, self._open = self._open, 0
        if self.state == lib.CONNECTED:
            self._on_greeting(line)
        elif line.startswith(b"* "):
            self._untagged([line[2:], *parts[1:]], command, size)
        elif line.startswith(b"+"):
            self._continuation(line)
        elif command and line.startswith(command.tag.encode() + b" "):
            self._capability_in(line)
            self._answers.clear()
            self._response_done(line)
            if command.name == "STARTTLS" and command.response.result == "OK":
                self.transport.pause_reading()
                self._deaf = True
        elif line.strip():
            raise ConnectionLost("broken IMAP from the server: " + clean(line[:80]))
        self.changed.set()

    def _on_greeting(self, line: bytes) -> None:
        kind = line.split(None, 2)[1].upper() if line.startswith(b"* ") else b""
        if kind not in (b"OK", b"PREAUTH"):
            raise ConnectionLost("refused by the server: " + clean(line))
        self.greeting = clean(line[2:])
        self._capability_in(line)
        self.state = lib.NONAUTH if kind == b"OK" else lib.AUTH

    def _capability_in(self, line: bytes) -> None:
        if found := re.search(rb"\[CAPABILITY ([^]]*)\]", line, re.I):
            self._set_capabilities(found[1])

    def _set_capabilities(self, names: bytes) -> None:
        self.capabilities = {name.decode("ascii", "replace").upper() for name in names.split()}

    def _untagged(self, parts: list[bytes], command: Command | None, size: int) -> None:
        words = [*parts[0].split(None, 2), b"", b""]
        kind = (words[1] if words[0].isdigit() else words[0]).upper()
        if kind == b"BYE" and not (command and command.name == "LOGOUT"):
            raise ConnectionLost("the server says " + clean(parts[0]))
        if kind == b"CAPABILITY":
            self._set_capabilities(parts[0][len(kind) :])
        if kind == b"EXISTS" or (command and command.name == "IDLE" and kind not in STATUS):
            self.news = True
        if command and kind in command.want:
            command.size += size
            if command.size > MAX_KEPT:
                raise TooLarge("endless response from the server")
            command.replies.append(parts)

    def _continuation(self, line: bytes) -> None:
        command = self.command_pending
        if self._answers:
            self.transport.write(self._answers.popleft())
        elif (
            command and command.name == "AUTHENTICATE"
        ):  # the error is a challenge that needs a reply
            self.challenge = line[1:].strip()
            self.transport.write(b"\r\n")
        elif command and command.name == "IDLE":
            self.acked = True

    @property
    def command_pending(self) -> Command | None:
        pending: list[Command] = [*self.pending_async_commands.values()]
        return self.pending_sync_command or (pending[0] if pending else None)

    def fail(self, error: ImapError) -> None:
        """End the connection; every pending command fails with the first error."""
        self.error = self.error or error
        self._deaf = True
        for command in (self.pending_sync_command, *self.pending_async_commands.values()):
            if command:
                command.fail(self.error)
        self.pending_sync_command = None
        self.pending_async_commands.clear()
        self.idle_queue.put_nowait(lib.STOP_WAIT_SERVER_PUSH)
        self.changed.set()
        if self.transport:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(ConnectionLost(f"connection lost: {exc or 'closed by the server'}"))
        self.closed.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        while not self.error and not reached():
            self.changed.clear()
            await self.changed.wait()
        if self.error:
            raise self.error

    async def command(
        self,
        name: str,
        *args: str,
        uid: bool = False,
        want: Collection[bytes] = (),
        answers: Iterable[bytes] = (),
        max_literal: int = SMALL_LITERAL,
    ) -> Command:
        if self.error:
            raise self.error
        command = Command(
            name, self.new_tag(), *args, prefix="UID" if uid else None, loop=self.loop
        )
        command.want = want
        self._answers, self.max_literal, self._literals = deque(answers), max_literal, 0
        await self.execute(command)
        self.max_literal, self._literals = SMALL_LITERAL, 0
        if command.response.result != "OK":
            raise CommandRefused(command.text)
        return command

    async def starttls(self, context: ssl.SSLContext, host: str) -> None:
        await self.command("STARTTLS")  # after its OK, received data is ignored
        self.transport = await self.loop.start_tls(
            self.transport, self, context, server_hostname=host
        )
        if self.error:
            self.transport.abort()
            raise self.error
        self._deaf, self.news = False, False
        self.capabilities = set()

    async def idle_until(self, wake: Callable[[], bool], timeout: float, patience: float) -> None:
        self.acked = False
        command = Command("IDLE", self.new_tag(), loop=self.loop)
        self.pending_sync_command = command
        self.send(str(command))
        async with asyncio.timeout(patience):
            await self.until(lambda: self.acked or command._event.is_set())
        if not command._event.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await self.until(lambda: wake() or command._event.is_set())
            except TimeoutError:
                pass
        if not command._event.is_set():
            self.send("DONE")
        async with asyncio.timeout(patience):
            await command.wait()
        if command.response.result != "OK":
            raise CommandRefused(command.text)
