"""An IMAP server with one folder whose answers a test can replace: what real servers say wrong."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable

Answer = Callable[[str, str], "bytes | None"]
"""Given the command's name (`UID FETCH`) and its arguments: what is sent instead of the usual
answer, `TAG` standing for the command's tag. None: the usual answer. b"": the server hangs up."""


class ScriptedImap:
    def __init__(
        self,
        *mails: bytes,
        answer: Answer = lambda verb, args: None,
        capabilities: str = "IMAP4rev1",
    ) -> None:
        self.capabilities = capabilities
        self.mails = dict(enumerate(mails, 1))
        """By UID."""
        self.answer = answer
        self.commands: list[str] = []
        self.appended: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """End every connection."""
        for writer in list(self._writers):
            writer.close()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            self._writers.add(writer)
            writer.write(f"* OK [CAPABILITY {self.capabilities}] ready\r\n".encode())
            while line := (await reader.readline()).decode().strip():
                tag, _, command = line.partition(" ")
                self.commands.append(command)
                answer = self._answer(command)
                if not answer:
                    break
                if command.startswith("APPEND"):
                    writer.write(b"+ go\r\n")
                    await writer.drain()
                    size = int(re.search(r"\{(\d+)\}$", command)[1])  # type: ignore[index]  # it has one
                    self.appended.append((await reader.readexactly(size + 2))[:-2])
                if command == "IDLE" and answer.startswith(b"TAG OK"):
                    writer.write(b"+ idling\r\n")
                    await writer.drain()
                    if not await reader.readline():  # DONE
                        break
                writer.write(answer.replace(b"TAG", tag.encode()))
                await writer.drain()
        writer.close()
        self._writers.discard(writer)
        self._tasks.discard(task)

    def _answer(self, command: str) -> bytes:
        words = command.split(" ", 2)
        by_uid = words[0].upper() == "UID"
        verb = " ".join(words[: 1 + by_uid]).upper()
        args = command[len(verb) :].strip()
        said = self.answer(verb, args)
        if said is not None:
            return said
        lines = getattr(self, f"_{verb.lower().replace(' ', '_')}", lambda args: b"")(args)
        return bytes(lines) + b"TAG OK done\r\n"

    def _capability(self, args: str) -> bytes:
        return f"* CAPABILITY {self.capabilities}\r\n".encode()

    def _select(self, args: str) -> bytes:
        following = max(self.mails, default=0) + 1
        return b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] next\r\n" % (
            len(self.mails),
            following,
        )

    def _uid_search(self, args: str) -> bytes:
        wanted = re.search(r"UID (\d+):\*", args)
        lowest = int(wanted[1]) if wanted else 1
        uids = [uid for uid in self.mails if uid >= lowest] or list(self.mails)[-1:]
        return b" ".join([b"* SEARCH", *(b"%d" % uid for uid in uids)]) + b"\r\n"

    def _uid_fetch(self, args: str) -> bytes:
        wanted, _, items = args.partition(" ")
        found = b""
        for number, uid in enumerate(sorted(self.mails), 1):
            if str(uid) in wanted.split(","):
                raw = self.mails[uid]
                what = b'RFC822.SIZE %d INTERNALDATE "27-Nov-2026 10:00:00 +0000"' % len(raw)
                if "BODY" in items:
                    what = b"BODY[] {%d}\r\n%s" % (len(raw), raw)
                found += b"* %d FETCH (UID %d %s)\r\n" % (number, uid, what)
        return found
