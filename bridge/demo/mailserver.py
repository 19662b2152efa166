"""The demo's mail server: SMTP by aiosmtpd, in front of pymap's mailboxes, with a journal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

JOURNAL = "accepted.jsonl"
"""The journal in the folder of a demo."""
SIZE_LIMIT = 70 * 1024 * 1024
"""Bytes of a mail: a file of 50 MB grows by a third in base64."""


class MailServer:
    """Accepts mail for every user, journals it durably, then puts it into the mailboxes.

    Tests check the journal: it has one line for each mail that the server answered with 250.
    """

    def __init__(
        self, journal: Path, put: Callable[[str, bytes], Awaitable[None]], port: int = 0
    ) -> None:
        self._journal, self._put, self.port = journal, put, port
        self._server: asyncio.AbstractServer | None = None
        self.refuse = ""

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> SMTP:
        smtp = SMTP(self, data_size_limit=SIZE_LIMIT, enable_SMTPUTF8=True, hostname="mail.demo")
        smtp.line_length_limit = 1 << 20
        return smtp

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 2)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd's hook: returns the answer to the final dot."""
        if self.refuse:
            return self.refuse
        raw = envelope.content or b""
        self._write(envelope, raw if isinstance(raw, bytes) else raw.encode())
        for recipient in envelope.rcpt_tos:
            await self._put(recipient, bytes(raw) if isinstance(raw, bytes) else raw.encode())
        return "250 2.0.0 accepted"

    def _write(self, envelope: Envelope, raw: bytes) -> None:
        line: dict[str, Any] = {
            "at": time.time(),
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "raw": raw.decode("latin-1"),
        }
        with open(self._journal, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def accepted(self) -> list[dict[str, Any]]:
        """All mails that the server ever answered with 250."""
        return journal(self._journal)


def journal(file: Path) -> list[dict[str, Any]]:
    """The mails in the journal of a mail server, oldest first."""
    if not file.exists():
        return []
    lines = file.read_text().splitlines()
    return [{**entry, "raw": entry["raw"].encode("latin-1")} for entry in map(json.loads, lines)]
