"""Test an inbox's IMAP server step by step, until one step fails."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bridge.chat.diagnosis import ProblemKind, Trouble
from bridge.config.redact import masked
from bridge.config.server import Imap
from bridge.imap.account import connect
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import CommandRefused, ConnectionLost, ImapError, LoginRefused, NotLoggedIn
from bridge.ingress.source import Reached
from bridge.model.oversight import Finding, Grade
from bridge.ports import Credentials

TIMEOUT = 20.0
"""Seconds without data after which the test fails."""


async def check(imap: Imap, credentials: Credentials, reached: Reached) -> AsyncIterator[Finding]:
    """Yields one finding for each step. Raises Trouble at the first step that fails."""
    yield await reached(imap)
    connection = await _logged_in(imap, credentials)
    try:
        yield Finding(Grade.GOOD, f"IMAP lets {imap.user} in")
        for folder in imap.folders:
            yield await _folder(connection, folder)
        yield await _idle(connection, imap, credentials)
    finally:
        await connection.logout()


async def _logged_in(imap: Imap, credentials: Credentials) -> ImapConnection:
    try:
        return await connect(imap, credentials, TIMEOUT)
    except NotLoggedIn as error:
        raise Trouble(ProblemKind.NO_ACCESS, str(error)) from error
    except LoginRefused as error:
        if error.is_temporary:
            raise Trouble(ProblemKind.LATER, str(error)) from error
        if error.code == "PRIVACYREQUIRED":
            raise Trouble(ProblemKind.NO_LOGIN_HERE, str(error)) from error
        raise Trouble(ProblemKind.LOGIN, str(error)) from error
    except (ImapError, ValueError) as error:
        raise Trouble(ProblemKind.BROKEN, str(error)) from error


async def _folder(connection: ImapConnection, folder: str) -> Finding:
    try:
        _, _, count = await connection.select(folder)
    except CommandRefused as error:
        if error.is_temporary:
            raise Trouble(ProblemKind.LATER, str(error)) from error
        there = [each.name for each in await connection.list_folders()]
        if folder.casefold() in map(str.casefold, there):
            raise Trouble(ProblemKind.BROKEN, str(error)) from error
        found = (folder, ", ".join(there[:20]))
        raise Trouble(ProblemKind.NO_FOLDER, str(error), found) from error
    except ConnectionLost as error:
        raise Trouble(ProblemKind.BROKEN, str(error)) from error
    mails = "mail" if count == 1 else "mails"
    return Finding(Grade.GOOD, f"IMAP folder {folder}: {count} {mails}")


async def _idle(connection: ImapConnection, imap: Imap, credentials: Credentials) -> Finding:
    slow = f"new mail is seen within {imap.poll} s. Lower imap.poll if that is too long."
    if "IDLE" not in connection.capabilities:
        return Finding(Grade.WARNING, f"IMAP has no IDLE, so {slow}")
    try:
        await connection.idle(0.2)
    except CommandRefused as error:
        said = masked(str(error), await credentials.of(imap))
        return Finding(Grade.WARNING, f"IMAP offers IDLE and refuses it ({said}), so {slow}")
    except ConnectionLost as error:
        raise Trouble(ProblemKind.BROKEN, str(error)) from error
    return Finding(Grade.GOOD, "IMAP tells of new mail at once (IDLE)")
