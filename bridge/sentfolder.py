"""The Sent folder of an inbox's account: whether a mail is there, and putting one there."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.config import Inbox
from bridge.imap.account import connect
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import CommandRefused, Folder, ImapError
from bridge.model import MessageId, Permanent, Transient

NAMES = ("sent", "sent items", "sent messages", "sent mail", "gesendet", "gesendete elemente",
         "envoyés", "enviados", "inviati", "verzonden items")  # fmt: skip


class SentFolder:
    """Implements ports.Mailbox, one connection a call: it is used once for each mail sent."""

    async def find_sent(self, inbox: Inbox, message_id: MessageId) -> bool:
        """Whether the Sent folder holds a mail with this Message-ID."""
        async with _Session(inbox) as connection:
            folder = await _folder(connection)
            if folder is None:
                return False
            await connection.select(folder)
            quoted = message_id.replace("\\", "\\\\").replace('"', '\\"')
            return bool(await connection.search(f'HEADER Message-ID "{quoted}"'))

    async def append_sent(self, inbox: Inbox, mime: bytes) -> None:
        async with _Session(inbox) as connection:
            folder = await _folder(connection)
            if folder is None:  # mail programs make one, too
                await connection.create("Sent")
            await connection.append(folder or "Sent", mime, ["\\Seen"], datetime.now(UTC))


class _Session:
    """A connection for one errand, with IMAP's errors told as ours."""

    def __init__(self, inbox: Inbox) -> None:
        assert inbox.imap is not None
        self._imap = inbox.imap

    async def __aenter__(self) -> ImapConnection:
        try:
            self._connection = await connect(self._imap)
        except (ImapError, OSError) as error:
            raise Transient(f"{self._imap.account} does not answer: {error}") from error
        return self._connection

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self._connection.logout()
        if isinstance(error, CommandRefused):
            raise Permanent(f"{self._imap.account} refuses: {error}") from error
        if isinstance(error, ImapError):
            raise Transient(f"{self._imap.account} does not answer: {error}") from error


async def _folder(connection: ImapConnection) -> Folder | None:
    """The folder marked \\Sent (RFC 6154), else the one with a usual name."""
    folders = await connection.list_folders()
    for folder in folders:
        if "\\sent" in folder.attributes:
            return folder
    for folder in folders:
        if folder.name.rpartition(folder.delimiter or "/")[2].casefold() in NAMES:
            return folder
    return None
