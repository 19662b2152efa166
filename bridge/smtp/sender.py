"""Send one message to one SMTP server, and return the status of each recipient."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

import aiosmtplib
import structlog

from bridge import failpoint
from bridge.config.inbox import Inbox, Smtp
from bridge.config.redact import masked
from bridge.mail.address import idna
from bridge.mail.charset import clean_line, decode
from bridge.mail.limits import size
from bridge.model import BridgeError, RecipientStatus
from bridge.model.login import AccessToken, Login
from bridge.ports import Credentials

log = structlog.get_logger("egress")

DIAL_TIMEOUT = 30.0
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
        for each recipient."""
        assert inbox.smtp is not None
        client = _client(inbox.smtp, inbox.domain)
        statuses: Statuses = {}
        try:
            async with failpoint.around("smtp.dial"):
                await _log_in(client, await self._credentials.of(inbox.smtp))
            accepted = await _envelope(client, sender, recipients, mime, statuses)
        except (aiosmtplib.SMTPException, OSError, BridgeError) as error:
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


def _client(smtp: Smtp, domain: str) -> aiosmtplib.SMTP:
    context = ssl.create_default_context(cafile=str(smtp.ca_file) if smtp.ca_file else None)
    return aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.at_port,
        local_hostname=domain,  # the default would reveal this machine's name
        use_tls=smtp.tls == "implicit",
        start_tls=smtp.tls == "starttls",
        tls_context=None if smtp.tls == "none" else context,
        timeout=DIAL_TIMEOUT,
    )


async def dial(smtp: Smtp, domain: str, login: Login | None) -> aiosmtplib.SMTP:
    """Connect and log in. Raises SMTPException or OSError."""
    client = _client(smtp, domain)
    await _log_in(client, login)
    return client


async def _log_in(client: aiosmtplib.SMTP, login: Login | None) -> None:
    await client.connect()
    if login is None:
        return
    try:
        if isinstance(login, AccessToken):
            await client.auth_xoauth2(login.user, login.secret)
        else:
            await _by_password(client, login)
    except aiosmtplib.SMTPResponseException as error:
        # `from None`: a log would show the original error with the password
        raise type(error)(error.code, masked(error.message, login)) from None
    except aiosmtplib.SMTPException as error:
        raise type(error)(masked(str(error), login)) from None


async def _by_password(client: aiosmtplib.SMTP, login: Login) -> None:
    """Try the mechanisms that both sides know. The first refusal is the one that counts: some
    servers hang up at the next try, or refuse that one as a protocol error."""
    await client._ehlo_or_helo_if_needed()
    refusal: aiosmtplib.SMTPAuthenticationError | None = None
    for mechanism in client.supported_auth_methods if client.supports_extension("auth") else ():
        try:
            await getattr(client, f"auth_{mechanism.replace('-', '')}")(login.user, login.secret)
        except aiosmtplib.SMTPAuthenticationError as error:
            refusal = refusal or error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise refusal or error from None
        else:
            return
    if refusal is None:
        await client.login(login.user, login.secret)  # it says why no mechanism is there
        return
    raise refusal


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
        return RecipientStatus.SENT, _clean_reply(f"{code} {text}")
    except aiosmtplib.SMTPDataError as error:
        return _refusal(error.code, error.message)
    except (aiosmtplib.SMTPException, OSError) as error:
        log.warning("no answer after DATA", error=_clean_reply(str(error)))
        return RecipientStatus.UNKNOWN, _clean_reply(str(error))


def _refusal(code: int, message: str) -> tuple[RecipientStatus, str]:
    return (RecipientStatus.FAILED if code >= 500 else RecipientStatus.DEFERRED), _clean_reply(
        f"{code} {message}"
    )


def _clean_reply(text: str) -> str:
    """A server's reply, in any charset, as one clean line for the database."""
    return clean_line(decode(text.encode("utf-8", "surrogateescape"), None), 600)


def _before_data(error: Exception) -> tuple[RecipientStatus, str]:
    """The status for a failure before DATA: DEFERRED, because the mail can be sent again. Only the
    server's answer to MAIL can make it FAILED; a refused log-in can be fixed."""
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return _refusal(error.code, error.message)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return RecipientStatus.DEFERRED, _clean_reply(f"{error.code} {error.message}")
    return RecipientStatus.DEFERRED, _clean_reply(str(error)) or type(error).__name__


async def _hang_up(client: aiosmtplib.SMTP) -> None:
    try:
        await client.quit(timeout=1)
    except (aiosmtplib.SMTPException, OSError):
        client.close()
