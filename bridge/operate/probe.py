"""Tries every step of an inbox's incoming and outgoing servers, in order, until one fails."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import aiosmtplib

from bridge.chat import diagnosis
from bridge.chat.diagnosis import ProblemKind, Trouble
from bridge.config.inbox import Inbox
from bridge.config.server import Server, Smtp
from bridge.ingress.kinds import KINDS
from bridge.mail.address import idna
from bridge.mail.token import Tokens
from bridge.model.oversight import Finding, Grade
from bridge.operate.reach import reach
from bridge.operate.roundtrip import round_trip
from bridge.ports import Credentials, Mailbox, Sender
from bridge.smtp.connection import dial_with

EXPIRES_SOON = 14 * 86400.0
SMALL = 10_000_000
"""Bytes; a server with a lower limit for the size of a mail gets a warning."""


class Prober:
    """Implements ports.Prober. Without tokens no test mail is sent, as it could not be recognised
    when it comes back."""

    def __init__(
        self, sender: Sender, mailbox: Mailbox, credentials: Credentials, tokens: Tokens | None
    ) -> None:
        self._sender, self._mailbox, self._tokens = sender, mailbox, tokens
        self._credentials = credentials

    async def test(self, inbox: Inbox) -> AsyncIterator[Finding]:
        """Yield one finding for each step. The steps of a server after a failed one are left out;
        where all servers work, the inbox sends a mail to itself and waits for it."""
        failed = False
        for way in inbox.sources:
            try:
                check = KINDS[type(way)].check
                async for finding in check(way, self._credentials, self._reached):
                    yield finding
            except Trouble as trouble:
                failed = True
                yield Finding(Grade.BAD, diagnosis.text(inbox, way, trouble))
        if inbox.smtp is not None:
            try:
                async for finding in self._smtp(inbox, inbox.smtp):
                    yield finding
            except Trouble as trouble:
                failed = True
                yield Finding(Grade.BAD, diagnosis.text(inbox, inbox.smtp, trouble))
        if self._tokens and inbox.imap and inbox.smtp and not failed:
            async for finding in round_trip(self._sender, self._mailbox, self._tokens, inbox):
                yield finding

    async def _reached(self, server: Server) -> Finding:
        certificate = await reach(server)
        where = diagnosis.where(server)
        if not certificate:
            return Finding(Grade.GOOD, f"{where} answers, without encryption")
        ends = ssl.cert_time_to_seconds(certificate["notAfter"])
        day = time.strftime("%d %b %Y", time.gmtime(ends))
        if ends - time.time() < EXPIRES_SOON:
            return Finding(
                Grade.WARNING,
                f"{where}: its certificate ends on {day}. Its operator must renew it before.",
            )
        return Finding(Grade.GOOD, f"{where} answers, its certificate is good until {day}")

    async def _smtp(self, inbox: Inbox, smtp: Smtp) -> AsyncIterator[Finding]:
        yield await self._reached(smtp)
        client = await dial_with(smtp, inbox.domain, self._credentials)
        try:
            if smtp.auth == "password":
                yield Finding(Grade.GOOD, f"SMTP lets {smtp.user} in")
            yield await self._sends_as(inbox, client)
            size = _number(client.esmtp_extensions.get("size"))
            if size >= SMALL:
                yield Finding(Grade.GOOD, f"SMTP takes mails up to {size / 1_000_000:.0f} MB")
            elif size:
                yield Finding(
                    Grade.WARNING,
                    f"SMTP takes mails up to {size / 1_000_000:.1f} MB only: answers with larger"
                    " files are refused. Ask its operator for a higher limit.",
                )
        finally:
            client.close()

    async def _sends_as(self, inbox: Inbox, client: aiosmtplib.SMTP) -> Finding:
        address = idna(inbox.address)
        utf8 = [] if address.isascii() else ["SMTPUTF8"]
        if utf8 and not client.supports_extension("smtputf8"):
            raise Trouble(ProblemKind.NOT_ASCII, "no SMTPUTF8")
        try:
            await client.mail(address, options=utf8, encoding="utf-8" if utf8 else "ascii")
            await client.rset()
        except aiosmtplib.SMTPResponseException as error:
            said = f"{error.code} {error.message}"
            if error.code < 500:
                raise Trouble(ProblemKind.LATER, said) from error
            wants_login = error.code == 530 or "authentication required" in said.casefold()
            raise Trouble(
                ProblemKind.LOGIN_WANTED if wants_login else ProblemKind.SENDER, said
            ) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Trouble(ProblemKind.BROKEN, str(error)) from error
        return Finding(Grade.GOOD, f"SMTP lets us send as {inbox.address}")


def _number(value: Any) -> int:
    text = str(value or "")
    return int(text) if text.isdecimal() else 0
