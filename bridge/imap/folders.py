"""Find mails in the folders of an inbox's account, and append to its Sent folder."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from bridge.config.inbox import Inbox
from bridge.imap.account import connect
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import CommandRefused, Folder, ImapError
from bridge.mail.relay import OWN_ID
from bridge.model import MessageId, Permanent, Transient
from bridge.model.oversight import ReturnedMail
from bridge.ports import Credentials

LOOKS_IN_HOUR, LOOK = 60, 20.0
"""Looks into Sent folders that the mails of others may cause, and the seconds of each."""
SEARCH_INTERVAL = 1.0
"""Seconds between searches for an expected mail."""
JUNK = (
    "junk", "spam", "junk email", "junk-e-mail", "bulk mail", "bulk", "unbekannt", "spamverdacht",
    "courrier indésirable", "correo no deseado", "posta indesiderata", "ongewenste e-mail",
)  # fmt: skip
SENT = (
    "sent", "sent items", "sent messages", "sent mail", "gesendet", "gesendete elemente",
    "envoyés", "enviados", "inviati", "verzonden items",
)  # fmt: skip


class Folders:
    """Implements ports.Mailbox with a new connection for each call: a sent mail needs one call."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._one_at_a_time = asyncio.Lock()
        self._looks: deque[float] = deque(maxlen=LOOKS_IN_HOUR)
        """When mails of others had us look into a Sent folder, by the monotonic clock."""

    async def sent_copy(self, inbox: Inbox, message_id: MessageId, limit: int) -> bytes | None:
        """The mail with this Message-ID in the Sent folder, if it has at most `limit` bytes. A
        stranger's mail may ask for it, so there are few looks in an hour, one at a time; None
        beyond that."""
        if not (message_id.isascii() and message_id.isprintable()):
            return None
        async with self._one_at_a_time:
            now = time.monotonic()
            if len(self._looks) == LOOKS_IN_HOUR and now - self._looks[0] < 3600.0:
                return None
            self._looks.append(now)
            try:
                async with asyncio.timeout(LOOK), _Session(inbox, self._credentials) as connection:
                    return await _sent_copy(connection, message_id, limit)
            except TimeoutError as error:
                raise Transient("the Sent folder was not searched in time") from error

    async def find_sent(self, inbox: Inbox, message_id: MessageId) -> bool:
        """Whether the Sent folder holds a mail that we gave this Message-ID."""
        async with _Session(inbox, self._credentials) as connection:
            folder = await _folder(connection)
            if folder is None:
                return False
            await connection.select(folder)
            return await _found_by(connection, message_id) != ""

    async def wait_for(
        self, inbox: Inbox, message_id: MessageId, seconds: float
    ) -> ReturnedMail | None:
        """Wait for a mail that we gave this Message-ID; None if it did not arrive within
        `seconds`."""
        assert inbox.imap is not None
        deadline = time.monotonic() + seconds
        async with _Session(inbox, self._credentials) as connection:
            junk = await _special(connection, "\\junk", JUNK)
            folders: list[str | Folder] = [*inbox.imap.folders, *([junk] if junk else [])]
            while True:
                for folder in folders:
                    await connection.select(folder)
                    if name := await _found_by(connection, message_id):
                        where = str(getattr(folder, "name", folder))
                        return ReturnedMail(where, folder is junk, name == OWN_ID)
                if time.monotonic() > deadline:
                    return None
                await asyncio.sleep(SEARCH_INTERVAL)

    async def append_sent(self, inbox: Inbox, mime: bytes) -> None:
        async with _Session(inbox, self._credentials) as connection:
            folder = await _folder(connection) or await _make_sent(connection)
            await connection.append(folder, mime, ["\\Seen"], datetime.now(UTC))


async def _sent_copy(connection: ImapConnection, message_id: MessageId, limit: int) -> bytes | None:
    folder = await _folder(connection)
    if folder is None:
        return None
    await connection.select(folder)
    for uid in await connection.search(f'HEADER Message-ID "{quoted(message_id)}"'):
        for _, size, _ in await connection.fetch_meta([uid]):
            if size <= limit:
                return await connection.fetch_raw(uid, limit)
    return None


async def _found_by(connection: ImapConnection, message_id: MessageId) -> str:
    """The header by which a mail of ours is found in the selected folder; empty for none."""
    for name in ("Message-ID", OWN_ID):
        if await connection.search(f'HEADER {name} "{quoted(message_id)}"'):
            return name
    return ""


async def is_junk(connection: ImapConnection, name: str) -> bool:
    """Whether a folder is the one into which the server puts spam."""
    if name.upper() == "INBOX":
        return False
    try:
        junk = await _special(connection, "\\junk", JUNK)
    except CommandRefused:  # it lists no folders, and gives their mails all the same
        return False
    return junk is not None and junk.name == name


async def sent_name(connection: ImapConnection) -> str | None:
    """The name of the Sent folder; None where there is none, or the server does not tell."""
    try:
        found = await _folder(connection)
    except CommandRefused:
        return None
    return found.name if found is not None else None


class _Session:
    """A connection for one task. Turns ImapError into Transient, CommandRefused into Permanent."""

    def __init__(self, inbox: Inbox, credentials: Credentials) -> None:
        assert inbox.imap is not None
        self._imap, self._credentials = inbox.imap, credentials

    async def __aenter__(self) -> ImapConnection:
        try:
            self._connection = await connect(self._imap, self._credentials)
        except (ImapError, OSError) as error:
            raise Transient(f"{self._imap.account} does not answer: {error}") from error
        return self._connection

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self._connection.logout()
        if isinstance(error, CommandRefused):
            raise Permanent(f"{self._imap.account} refuses: {error}") from error
        if isinstance(error, ImapError):
            raise Transient(f"{self._imap.account} does not answer: {error}") from error


def quoted(message_id: MessageId) -> str:
    """A Message-ID escaped for an IMAP quoted string."""
    return message_id.replace("\\", "\\\\").replace('"', '\\"')


async def _folder(connection: ImapConnection) -> Folder | None:
    return await _special(connection, "\\sent", SENT)


async def _make_sent(connection: ImapConnection) -> str:
    """Make a Sent folder where the server has folders of one's own, as mail programs do. Raises
    CommandRefused."""
    prefix = ""
    with contextlib.suppress(CommandRefused):
        prefix = await connection.personal_prefix()
    sent = f"{prefix}Sent"
    try:
        await connection.create(sent)
    except CommandRefused:
        inbox = next(
            (f for f in await connection.list_folders() if f.name.upper() == "INBOX"), None
        )
        if inbox is None or not inbox.delimiter:
            raise
        name = f"INBOX{inbox.delimiter}Sent"  # where all personal folders are inside INBOX
        await connection.create(name)
        return name
    return sent


async def _special(connection: ImapConnection, mark: str, names: Sequence[str]) -> Folder | None:
    """The folder with the special-use attribute `mark` (RFC 6154), else one with a usual name."""
    folders = await connection.list_folders()
    for folder in folders:
        if mark in folder.attributes:
            return folder
    for folder in folders:
        if folder.name.rpartition(folder.delimiter or "/")[2].casefold() in names:
            return folder
    return None
