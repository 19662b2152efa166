"""Connect to an outgoing server and log in."""

from __future__ import annotations

import socket
import ssl

import aiosmtplib

from bridge.chat.diagnosis import ProblemKind, Trouble, of_certificate
from bridge.config.redact import masked
from bridge.config.server import Smtp
from bridge.model import BridgeError, Transient
from bridge.model.login import AccessToken, Login
from bridge.ports import Credentials

DIAL_TIMEOUT = 30.0


async def dial(smtp: Smtp, domain: str, login: Login | None) -> aiosmtplib.SMTP:
    """Connect and log in. Raises Trouble; its text holds no secret."""
    client = _client(smtp, domain)
    try:
        await _connect(client)
        if login is not None:
            await _log_in(client, login)
    except BaseException:
        client.close()
        raise
    return client


async def dial_with(smtp: Smtp, domain: str, credentials: Credentials) -> aiosmtplib.SMTP:
    """Connect and log in with the credentials there are now. Raises Trouble."""
    try:
        login = await credentials.of(smtp)
    except BridgeError as error:
        kind = ProblemKind.LATER if isinstance(error, Transient) else ProblemKind.NO_ACCESS
        raise Trouble(kind, str(error)) from error
    try:
        return await dial(smtp, domain, login)
    except Trouble as trouble:
        if trouble.problem is ProblemKind.LOGIN:
            await credentials.refused(smtp)
        raise


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


async def _connect(client: aiosmtplib.SMTP) -> None:
    try:
        await client.connect()
        await client._ehlo_or_helo_if_needed()
    except aiosmtplib.SMTPResponseException as error:
        kind = ProblemKind.LATER if error.code < 500 else ProblemKind.TURNED_AWAY
        raise Trouble(kind, masked(f"{error.code} {error.message}", None)) from error
    except aiosmtplib.SMTPTimeoutError as error:
        raise Trouble(ProblemKind.SILENT, str(error)) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _not_reached(error) from error


def _not_reached(error: BaseException) -> Trouble:
    """Why there is no connection, by the first cause that says it."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return of_certificate(cause.verify_code, cause.verify_message)
            case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "UNKNOWN_PROTOCOL" | "HTTP_REQUEST"):
                return Trouble(ProblemKind.NOT_TLS, str(cause.reason))
            case ssl.SSLError():
                return Trouble(ProblemKind.NO_TLS_AGREED, str(cause.reason or cause))
            case ConnectionRefusedError():
                return Trouble(ProblemKind.REFUSED, "connection refused")
            case socket.gaierror():
                return Trouble(ProblemKind.NO_HOST, f"DNS: {cause.strerror}")
        cause = cause.__cause__ or cause.__context__
    is_plain = isinstance(error, aiosmtplib.SMTPException) and "STARTTLS" in str(error)
    return Trouble(
        ProblemKind.NO_STARTTLS if is_plain else ProblemKind.BROKEN, masked(str(error), None)
    )


async def _log_in(client: aiosmtplib.SMTP, login: Login) -> None:
    try:
        if isinstance(login, AccessToken):
            await client.auth_xoauth2(login.user, login.secret)
        else:
            await _by_password(client, login)
    except aiosmtplib.SMTPResponseException as error:
        # `from None`: a log would show the original error with the password
        kind = ProblemKind.LATER if error.code < 500 else ProblemKind.LOGIN
        raise Trouble(kind, masked(f"{error.code} {error.message}", login)) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        has_none = not client.supports_extension("auth") and client.is_connected
        kind = ProblemKind.NO_LOGIN_HERE if has_none else ProblemKind.LOGIN_BROKEN
        raise Trouble(kind, masked(str(error), login)) from None


async def _by_password(client: aiosmtplib.SMTP, login: Login) -> None:
    """Try the mechanisms that both sides know. The first refusal is the one that counts: some
    servers hang up at the next try, or refuse that one as a protocol error."""
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
