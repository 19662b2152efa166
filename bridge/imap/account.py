"""A connection to a configured mail account, logged in."""

from __future__ import annotations

import ssl

from bridge.config.inbox import Imap
from bridge.config.redact import masked
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import ImapError


async def connect(imap: Imap, timeout: float = 60.0) -> ImapConnection:
    """A connection that is logged in. Raises ImapError."""
    context = None
    if imap.tls != "none":
        context = ssl.create_default_context(cafile=str(imap.ca_file) if imap.ca_file else None)
    connection = await ImapConnection.connect(imap.host, imap.at_port, imap.tls, context, timeout)
    try:
        await connection.login(imap.user, imap.password.get_secret_value())
    except ImapError as error:
        await connection.close()
        # not from the error: a log would show it with the password
        raise type(error)(masked(str(error), imap)) from None
    except BaseException:
        await connection.close()
        raise
    return connection
