"""Parses mail in the sandboxed process, which may fail; implements ports.Reader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from bridge import metrics
from bridge.mail import reading
from bridge.mail.quote import Body
from bridge.model import Mail, Permanent, Transient
from bridge.sandbox.kept import KeptFiles
from bridge.sandbox.process import BOUNDS, GOOD, LARGE, SIGNED, SMALL
from bridge.sandbox.starter import ReadingProcess

log = structlog.get_logger("reader")

PATIENCE = {kind: bounds.wall + 5.0 for kind, bounds in BOUNDS.items()}
"""Seconds that one request may take."""
AT_ONCE = {SMALL: 4, LARGE: 2, SIGNED: 2}
"""Number of requests at the same time. Small mails never wait for large ones."""
ROOM, TIMES = 16_000_000, 4
"""An answer has at most ROOM bytes plus TIMES the bytes of the mail."""
TRIES = 3
HEAD = 9
"""Bytes of an answer before its content: GOOD and the processor time."""
TOO_MUCH = "reading it took too much time or memory"
Load = Callable[[], Awaitable[bytes]]


class MailReader:
    """Sends each request to a new child of the reading process, and reads the answer. Implements
    ports.Reader."""

    def __init__(self, process: ReadingProcess) -> None:
        self._process = process
        self._free = {kind: asyncio.Semaphore(count) for kind, count in AT_ONCE.items()}
        self._files = KeptFiles()
        self.spent = 0.0
        """Seconds of processor time spent on all mails so far."""

    def close(self) -> None:
        """Drop the cached files."""
        self._files.clear()

    async def read(self, raw: bytes, authserv_id: str, own: frozenset[str]) -> tuple[Mail, Body]:
        """The mail and its folded text; only its headers and first words where parsing fails or
        takes too much. Never fails because of the mail's content. Raises Transient where the
        process cannot run."""
        kind = LARGE if reading.is_large(raw) else SMALL
        try:
            return await self._read(["read", authserv_id, *sorted(own)], raw, kind)
        except Permanent as error:
            problem = str(error)[:200]
        log.warning("mail not read whole", error=problem)
        return await self.read_headers(raw, problem, authserv_id, own)

    async def read_headers(
        self, raw: bytes, problem: str, authserv_id: str, own: frozenset[str]
    ) -> tuple[Mail, Body]:
        """The headers and first words of a mail; `problem` says why no more is shown. Raises
        Transient where the process cannot run."""
        kind = LARGE if reading.is_large(raw) else SMALL
        try:
            return await self._read(["head", problem, authserv_id, *sorted(own)], raw, kind)
        except Permanent as error:
            log.warning("headers of a mail not read", error=str(error)[:200])
        return await asyncio.to_thread(reading.unreadable, raw, problem)

    async def part(self, mail: str, part: int, load: Load) -> bytes:
        """The bytes of one file of a mail. The mail is parsed once for all its files: `mail` is the
        cache key, `load` returns the mail's bytes. Raises Permanent when there is no such file or
        parsing fails."""
        found = await self._files.of(mail, lambda: self._take_apart(load))
        if part >= len(found):
            raise Permanent(f"the mail has no part {part}")
        return found[part]

    async def signed_by(self, raw: bytes, keys: Mapping[str, str]) -> list[str]:
        """The domains that have signed a mail; `keys` are the records by name. Raises Permanent
        where that cannot be found out, Transient where the process cannot run."""
        found: list[str] = json.loads(await self._request(["signed", dict(keys)], raw, SIGNED))
        return found

    async def restrictions(self) -> tuple[str, ...]:
        """The names of the restrictions in force in the process that parses mail."""
        return tuple(json.loads(await self._request(["holds"], b"", SMALL)))

    async def _take_apart(self, load: Load) -> list[bytes]:
        raw = await load()
        answer = await self._request(["files"], raw, LARGE if reading.is_large(raw) else SMALL)
        found, at = [], 0
        while at < len(answer):
            end = at + 8 + int.from_bytes(answer[at : at + 8], "big")
            found.append(answer[at + 8 : end])
            at = end
        return found

    async def _read(self, request: Sequence[object], raw: bytes, kind: bytes) -> tuple[Mail, Body]:
        answer = await self._request(request, raw, kind)
        try:
            return reading.RESULT.validate_json(answer)
        except ValueError as error:  # do not chain its text: it may contain words of the mail
            raise Permanent("the answer of the reading process cannot be read") from error

    async def _request(self, request: Sequence[object], raw: bytes, kind: bytes) -> bytes:
        """Send a request, and again where the whole process was ended meanwhile. Raises Permanent
        where the child failed or reached a limit, Transient where the process keeps ending."""
        for _ in range(TRIES):
            before = self._process.running_process()
            try:
                return await self._asked(request, raw, kind)
            except Permanent as error:
                problem = error
            if await self._still_answers(before):
                raise problem
        raise Transient("the process that reads mail does not stay; is there memory enough?")

    async def _still_answers(self, process: object) -> bool:
        """Whether the same process still answers. It may end a moment after its child did."""
        try:
            await self._asked(["holds"], b"", SMALL)
        except Permanent:
            return False
        return self._process.running_process() is process

    async def _asked(self, request: Sequence[object], raw: bytes, kind: bytes) -> bytes:
        most = ROOM + TIMES * len(raw)
        async with self._free[kind]:
            reader, writer = await asyncio.open_connection(sock=self._process.connect(kind))
            answer = bytearray()
            try:
                async with asyncio.timeout(PATIENCE[kind]):
                    writer.write(json.dumps(request).encode() + b"\n")
                    writer.write(raw)
                    writer.write_eof()
                    while chunk := await reader.read(1 << 18):
                        answer += chunk
                        if len(answer) > most:
                            raise Permanent("it says too much")
            except TimeoutError as error:
                raise Permanent("reading it took too long") from error
            except OSError as error:
                raise Permanent(TOO_MUCH) from error
            finally:
                writer.transport.abort()
        if not answer.startswith(GOOD):
            raise Permanent(TOO_MUCH)
        took = int.from_bytes(answer[1:HEAD], "big") / 1_000_000
        metrics.reading.observe(took)
        self.spent += took
        return bytes(memoryview(answer)[HEAD:])
