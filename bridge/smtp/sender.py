"""Send one message to one SMTP server, and return the status of each recipient."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import aiosmtplib
import structlog

from bridge import failpoint
from bridge.config.inbox import Inbox
from bridge.config.redact import masked
from bridge.mail.address import idna
from bridge.mail.limits import size
from bridge.model import RecipientStatus
from bridge.ports import Credentials
from bridge.smtp.connection import dial_with

log = structlog.get_logger("egress")

COMMAND_TIMEOUT = 120.0
DATA_TIMEOUT = 600.0
"""Seconds; RFC 5321 §4.5.3.2.6 gives the server ten minutes after the final dot."""
Statuses = dict[str, tuple[RecipientStatus, str]]
NOT_ASCII = "the outgoing server takes no address that is not ASCII, and {} is none"


class SmtpSender:
    """Implements ports.Sender. Runs the phases of SMTP itself: a failure before DATA can be retried
    safely, but after it the mail may have arrived."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def send(
        self,
        inbox: Inbox,
        sender: str,
        recipients: Sequence[str],
        mime: bytes,
        data_begun: Callable[[], Awaitable[None]],
    ) -> Mapping[str, tuple[RecipientStatus, str]]:
        """Send `mime` unchanged; `data_begun` is called before DATA. Returns (status, server reply)
        for each recipient. Raises Trouble where the server cannot be reached or does not let us in:
        no mail can be sent then."""
        client = await self._dialled(inbox)
        statuses: Statuses = {}
        try:
            accepted = await _envelope(client, sender, recipients, mime, statuses)
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            return {spec: statuses.get(spec, _before_data(error)) for spec in recipients}
        try:
            if accepted:
                await data_begun()
                verdict = await _data(client, mime)
                statuses |= dict.fromkeys(accepted, verdict)
        finally:
            await _hang_up(client)
        return statuses

    async def check(self, inbox: Inbox) -> None:
        """Connect and log in, as for a mail. Raises Trouble where that fails."""
        await _hang_up(await self._dialled(inbox))

    async def _dialled(self, inbox: Inbox) -> aiosmtplib.SMTP:
        assert inbox.smtp is not None
        async with failpoint.around("smtp.dial"):
            return await dial_with(inbox.smtp, inbox.domain, self._credentials)


async def _envelope(
    client: aiosmtplib.SMTP, sender: str, recipients: Sequence[str], mime: bytes, statuses: Statuses
) -> list[str]:
    """Send MAIL and RCPT. Returns the accepted recipients; adds the refused ones to `statuses`."""
    await client._ehlo_or_helo_if_needed()
    refusal = _why_refused(client, mime)
    if refusal:
        statuses |= dict.fromkeys(recipients, (RecipientStatus.FAILED, refusal))
        return []
    odd = not idna(sender).isascii() or not mime.partition(b"\r\n\r\n")[0].isascii()
    odd = odd or not all(idna(spec).isascii() for spec in recipients)
    options = ["SMTPUTF8"] if odd and client.supports_extension("smtputf8") else []
    encoding = "utf-8" if options else "ascii"
    await client.mail(idna(sender), options=options, encoding=encoding, timeout=COMMAND_TIMEOUT)
    accepted = []
    for spec in recipients:
        if not idna(spec).isascii() and not options:
            statuses[spec] = (RecipientStatus.FAILED, NOT_ASCII.format(spec))
            continue
        try:
            await client.rcpt(idna(spec), encoding=encoding, timeout=COMMAND_TIMEOUT)
            accepted.append(spec)
        except aiosmtplib.SMTPRecipientRefused as error:
            statuses[spec] = _refusal(error.code, error.message)
    return accepted


def _why_refused(client: aiosmtplib.SMTP, mime: bytes) -> str:
    """Why the server cannot accept the mail, by its EHLO extensions; empty if it can."""
    head = mime.partition(b"\r\n\r\n")[0]
    if not head.isascii() and not client.supports_extension("smtputf8"):
        return NOT_ASCII.format("one that this mail names")
    limit = client.esmtp_extensions.get("size", "")  # RFC 1870
    if limit.isdecimal() and 0 < int(limit) < len(mime):
        return (
            f"the mail has {size(len(mime))} with its files, the outgoing server takes"
            f" {size(int(limit))}"
        )
    return ""


async def _data(client: aiosmtplib.SMTP, mime: bytes) -> tuple[RecipientStatus, str]:
    """Send DATA, body and dot. Without an answer the status is UNKNOWN."""
    try:
        async with failpoint.around("smtp.data"):
            code, text = await client.data(mime, timeout=DATA_TIMEOUT)
        return RecipientStatus.SENT, masked(f"{code} {text}", None)
    except aiosmtplib.SMTPDataError as error:
        return _refusal(error.code, error.message)
    except (aiosmtplib.SMTPException, OSError) as error:
        log.warning("no answer after DATA", error=masked(str(error), None))
        return RecipientStatus.UNKNOWN, masked(str(error), None)


def _refusal(code: int, message: str) -> tuple[RecipientStatus, str]:
    status = RecipientStatus.FAILED if code >= 500 else RecipientStatus.DEFERRED
    return status, masked(f"{code} {message}", None)


def _before_data(error: Exception) -> tuple[RecipientStatus, str]:
    """The status for a failure before DATA: DEFERRED, because the mail can be sent again. Only the
    server's answer to MAIL can make it FAILED; a refused log-in can be fixed."""
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return _refusal(error.code, error.message)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return RecipientStatus.DEFERRED, masked(f"{error.code} {error.message}", None)
    return RecipientStatus.DEFERRED, masked(str(error), None) or type(error).__name__


async def _hang_up(client: aiosmtplib.SMTP) -> None:
    try:
        await client.quit(timeout=1)
    except (aiosmtplib.SMTPException, OSError):
        client.close()
