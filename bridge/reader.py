"""Reads mail: the usual here, the large and the odd in a process that may fail."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import structlog

from bridge.mail import reading
from bridge.mail.parse import part_bytes
from bridge.mail.quote import Body
from bridge.model import Mail, Permanent, Transient

log = structlog.get_logger("reader")

PATIENCE = 30.0
"""Seconds a process may take."""
BESIDE = 20_000
"""Bytes from which a mail is read beside the event loop."""
AT_ONCE = 2
"""Processes that may run at once; each can take a core and much memory."""


class MailReader:
    """Implements ports.Reader."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

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
        except (Permanent, ValueError) as error:
            log.warning("mail not read whole", error=str(error))
            return reading.given_up(raw, str(error), authserv_id, own)

    async def part(self, raw: bytes, part: int) -> bytes:
        """The bytes of one file of a mail. Raises Permanent when they cannot be had."""
        try:
            if reading.is_odd(raw):
                return await self._apart(["part", str(part)], raw)
            return await asyncio.to_thread(part_bytes, raw, part)
        except IndexError as error:
            raise Permanent(str(error)) from error

    async def _apart(self, arguments: Sequence[str], raw: bytes) -> bytes:
        """Run bridge.confined. Raises Permanent naming what it ran out of."""
        async with self._free:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "bridge.confined", *arguments,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL, env=_environment(),
                )  # fmt: skip
            except OSError as error:
                raise Transient(f"no process can be started to read a mail: {error}") from error
            try:
                async with asyncio.timeout(PATIENCE):
                    answer, _ = await process.communicate(raw)
            except TimeoutError as error:
                raise Permanent("reading it took too long") from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0:
            raise Permanent("reading it took too much time or memory")
        return answer


def _environment() -> dict[str, str]:
    """Where our code is, and nothing else: no secret of the bridge's environment."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
