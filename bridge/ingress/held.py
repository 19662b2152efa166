"""Mails of one folder that its server does not give: the others go on, and these are asked for
again. Nothing is passed by: a mail is gone only when a search does not find it."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import structlog

from bridge.desk.inbound.accept import accept, addressed
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import CommandRefused, ConnectionLost, ImapError, TooLarge
from bridge.ingress.account import MailAccount
from bridge.mail.parse import recipients
from bridge.model import HeldMail

log = structlog.get_logger("imap")

PAUSE = 600.0
"""Seconds after which a mail is asked for again."""
PAUSE_REPORTED = 6 * 3600.0
"""The same for a mail that people know of, because it was refused so often."""
TRIES, ENOUGH = 3, 12
"""Refusals of a mail while others are given, and refusals of one that has nothing to be compared
with, after which people are told of it."""
MAX_HEAD = 100_000
"""Maximum bytes of a header."""
FIELD = re.compile(rb"(?m)^[!-9;-~]++[ \t]*+:.*\n(?:[ \t].*\n)*+")
"""A field of a header, its continuation lines included."""
SEVERAL = 5
"""Refusals one after the other, with nothing given between, that are the server's fault."""


class HeldBack:
    """What the server did not give in the current look at a folder, and in earlier ones."""

    def __init__(self, account: MailAccount, folder: str) -> None:
        self._account, self._folder = account, folder
        self._store, self._now = account.context.store, account.context.now
        self._validity = 0
        self._known: dict[int, HeldMail] = {}
        self._refused: dict[int, str] = {}
        self._given = 0

    async def begin(self, validity: int) -> None:
        """Begin a look at the folder."""
        self._validity, self._refused, self._given = validity, {}, 0
        async with self._store.reading() as tx:
            held = await tx.held.of_folder(self._account.name, self._folder, validity)
        self._known = {each.uid: each for each in held}

    def __contains__(self, uid: int) -> bool:
        return uid in self._known

    def due(self) -> list[int]:
        """The UIDs that were not asked for lately."""
        now = self._now()
        return [
            each.uid
            for each in self._known.values()
            if now - each.tried_at >= (PAUSE_REPORTED if each.is_reported else PAUSE)
        ]

    @property
    def is_alone(self) -> bool:
        """Whether something was refused in this look, and nothing was given beside it."""
        return bool(self._refused) and not self._given

    def give(self, count: int) -> None:
        """Note that the server gave mails in this look."""
        self._given += count

    async def hold(self, uid: int, error: ImapError) -> None:
        """Note that a mail was not given. Raises ConnectionLost where the server asks for patience,
        or gives nothing at all: that is no fault of this mail."""
        if isinstance(error, CommandRefused) and error.is_temporary:
            raise ConnectionLost(f"the server asks for patience: {error}")
        self._refused[uid] = str(error)
        log.warning("mail not given", account=self._account.name, uid=uid, error=str(error))
        async with self._store.transaction("account-progress") as tx:
            await tx.held.hold(
                self._account.name, self._folder, self._validity, uid, str(error)[:300], self._now()
            )
        if len(self._refused) >= SEVERAL and not self._given:
            raise ConnectionLost(f"the server gives no mail: {error}")
        if isinstance(error, TooLarge):
            self._given += 1  # the server works, this mail is larger than it said

    async def release(self, uid: int) -> None:
        """Forget a mail that is not in the folder any more."""
        self._known.pop(uid, None)
        async with self._store.transaction("account-progress") as tx:
            await tx.held.release(self._account.name, self._folder, self._validity, uid)

    async def judge(self, connection: ImapConnection | None = None) -> None:
        """Count what was refused in this look. A refusal counts most while others are given, and
        not at all where several were refused and none was given. After enough of them, a mail that
        tells of it is accepted; the mail itself is still asked for now and then. `connection`: one
        that still works, to ask for the header."""
        alone = len(self._refused) == 1
        weight = ENOUGH // TRIES if self._given else 1 if alone else 0
        for uid, reason in self._refused.items():
            name, folder, validity = self._account.name, self._folder, self._validity
            async with self._store.transaction("account-progress") as tx:
                tries = await tx.held.count(name, folder, validity, uid, weight)
            if tries >= ENOUGH and not self._is_reported(uid):
                head = await _head(connection, uid)
                await self._tell(uid, reason, head)
        self._refused = {}

    def _is_reported(self, uid: int) -> bool:
        return uid in self._known and self._known[uid].is_reported

    def note(self, uid: int) -> dict[str, str]:
        """What is to be known of a mail that comes after all: `instead`, the Message-ID of the mail
        that told of it."""
        return {"instead": self._stub_id(uid)} if self._is_reported(uid) else {}

    def _stub_id(self, uid: int) -> str:
        key = self._account.key(self._folder, self._validity, uid)
        return f"<held-{hashlib.sha256(key.encode()).hexdigest()[:40]}@no-message-id.invalid>"

    async def _tell(self, uid: int, reason: str, head: bytes) -> None:
        """Accept a mail that tells of a held one."""
        name, folder, validity = self._account.name, self._folder, self._validity
        key = f"{self._account.key(folder, validity, uid)}:report"
        several = len(self._account.inboxes) > 1
        inboxes = addressed(self._account.inboxes, recipients(head) if several else ())
        async with self._store.transaction("accept") as tx:
            if await tx.held.report(name, folder, validity, uid):
                await accept(tx, inboxes, key, self._stub(uid, reason, head), "", self._now())

    def _stub(self, uid: int, reason: str, head: bytes) -> bytes:
        """A mail in place of a held one: with its header where that is known, so that it is in its
        conversation and from its sender."""
        fields = [each for each in FIELD.findall(head.replace(b"\r\n", b"\n"))
                  if not each.lower().startswith((b"content-", b"mime-version:"))]  # fmt: skip
        names = {each.partition(b":")[0].strip().lower() for each in fields}
        if b"from" not in names:
            fields = [
                f"From: {self._account.imap.user}\n".encode(),
                b"Subject: A mail that could not be fetched\n",
                f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}\n".encode(),
            ]
        if b"message-id" not in names or b"from" not in names:
            fields.append(f"Message-ID: {self._stub_id(uid)}\n".encode())
        text = (
            f"Mail {uid} in folder {self._folder} of {self._account.name} could not be fetched:"
            f" {reason}\nIt is still in the mailbox; read it there. It is shown here when the"
            " server gives it.\n"
        )
        head = b"".join((*fields, b"Content-Type: text/plain; charset=utf-8\n", b"\n"))
        return (head + text.encode()).replace(b"\n", b"\r\n")


async def _head(connection: ImapConnection | None, uid: int) -> bytes:
    """The header of a mail whose body is refused; empty where that is refused, too."""
    if connection is None:
        return b""
    try:
        return await connection.fetch_header(uid, MAX_HEAD)
    except ImapError:
        return b""
