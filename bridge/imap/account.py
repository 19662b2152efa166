"""Connect and log in to a configured mail account."""

from __future__ import annotations

import ssl

from bridge import __version__
from bridge.config.redact import masked
from bridge.config.server import Imap
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import ConnectionLost, ImapError, LoginLost, LoginRefused, NotLoggedIn
from bridge.model import Permanent, Transient
from bridge.model.login import AccessToken, Login
from bridge.ports import Credentials


async def connect(imap: Imap, credentials: Credentials, timeout: float = 60.0) -> ImapConnection:
    """A connection that is logged in; `timeout` in seconds. Raises ImapError."""
    try:
        login = await credentials.of(imap)
    except Permanent as error:
        raise NotLoggedIn(str(error)) from error
    except Transient as error:
        raise ConnectionLost(str(error)) from error
    assert login is not None, "IMAP always wants a log-in"
    context = None
    if imap.tls != "none":
        context = ssl.create_default_context(cafile=str(imap.ca_file) if imap.ca_file else None)
    connection = await ImapConnection.connect(imap.host, imap.at_port, imap.tls, context, timeout)
    try:
        await _log_in(connection, login)
        await connection.identify(__version__)
    except ImapError as error:
        await connection.close()
        if isinstance(error, LoginRefused) and not error.is_temporary:
            await credentials.refused(imap)
        kind = LoginLost if isinstance(error, ConnectionLost) else type(error)
        # `from None`: a log would show the original error with the password
        raise kind(masked(str(error), login)) from None
    except BaseException:
        await connection.close()
        raise
    return connection


async def _log_in(connection: ImapConnection, login: Login) -> None:
    if isinstance(login, AccessToken):
        await connection.xoauth2(login.user, login.secret)
    else:
        await connection.login(login.user, login.secret)
