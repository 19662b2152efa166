"""Mails of one folder that its server does not give: the others go on, and these are asked for
again. Nothing is passed by: a mail is gone only when a search does not find it."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from bridge.desk.inbound.accept import accept, addressed
from bridge.imap.syntax import CommandRefused, ConnectionLost, ImapError, TooLarge
from bridge.ingress.account import MailAccount
from bridge.model import HeldMail

log = structlog.get_logger("imap")

PAUSE = 600.0
"""Seconds after which a mail is asked for again."""
PAUSE_REPORTED = 6 * 3600.0
"""The same for a mail that people know of, because it was refused so often."""
TRIES, ENOUGH = 3, 12
"""Refusals of a mail while others are given, and refusals of one that has nothing to be compared
with, after which people are told of it."""
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

    async def judge(self) -> None:
        """Count what was refused in this look. A refusal counts most while others are given, and
        not at all where several were refused and none was given. After enough of them, a mail that
        tells of it is accepted; the mail itself is still asked for now and then."""
        alone = len(self._refused) == 1
        weight = ENOUGH // TRIES if self._given else 1 if alone else 0
        for uid, reason in self._refused.items():
            name, folder, validity = self._account.name, self._folder, self._validity
            async with self._store.transaction("accept") as tx:
                tries = await tx.held.count(name, folder, validity, uid, weight)
                if tries >= ENOUGH and await tx.held.report(name, folder, validity, uid):
                    key = f"{self._account.key(folder, validity, uid)}:report"
                    inboxes = addressed(self._account.inboxes, ())
                    await accept(tx, inboxes, key, self._report(uid, reason), "", self._now())
        self._refused = {}

    def _report(self, uid: int, reason: str) -> bytes:
        return (
            f"Subject: A mail that could not be fetched\r\nFrom: {self._account.imap.user}\r\n"
            f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}\r\n\r\n"
            f"Mail {uid} in folder {self._folder} of {self._account.name} could not be fetched:"
            f" {reason}\r\nIt is still in the mailbox; read it there. It is shown here when the"
            " server gives it.\r\n"
        ).encode()
