"""Watch a mail account over IMAP and accept its new mails."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import structlog

from bridge.chat.diagnosis import ProblemKind, Trouble
from bridge.config.inbox import Inbox
from bridge.imap.account import connect
from bridge.imap.connection import ImapConnection
from bridge.imap.folders import sent_name
from bridge.imap.syntax import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    LoginLost,
    LoginRefused,
    NotLoggedIn,
)
from bridge.ingress.account import DiskFull, MailAccount
from bridge.ingress.folder import FolderReader
from bridge.ingress.source import SourceContext
from bridge.model import Transient

log = structlog.get_logger("imap")

IDLE = 28 * 60.0
"""Maximum seconds of one IDLE; servers may disconnect after 30 minutes (RFC 2177)."""
TIMEOUT = 60.0
"""Seconds without data after which a connection is closed."""
FIRST_WAIT = 1.0
LONGEST_WAIT = 300.0
LONGEST_WAIT_LOGGED_IN = 1200.0
"""The same after a log-in, granted or refused: where each is followed by an error, many of them
keep the error up, or lock the account."""
LONGEST_WAIT_FOR_PERSON = 15.0
"""The same while a person has to log in first, and no server is asked."""
LONG = 1800.0
"""Seconds; a connection that ends after them was a good one."""


SENT_WAIT, SENT_LONGEST = 300.0, 3600.0
"""Seconds for which a Sent folder that cannot be read is left alone, at first and at most."""


class SentBroke(Exception):
    """Reading the Sent folder ended the connection."""


class Watcher:
    """Watches one account; its inboxes share the connection. Implements source.Source."""

    def __init__(self, context: SourceContext, inboxes: Sequence[Inbox]) -> None:
        imap = inboxes[0].imap
        assert imap is not None
        self._context, self._imap = context, imap
        account = MailAccount(context, inboxes, imap)
        self._folders = [FolderReader(account, folder) for folder in imap.folders]
        self._mail_account = account
        self._sent: FolderReader | None = None
        self._shows_sent = any(inbox.shows_sent for inbox in inboxes)
        self._sent_after = self._sent_pause = 0.0
        """When the Sent folder is read again, and the seconds of the last pause; see _take_sent."""
        self._knows_no_sent = False
        self.account = account.name
        self._tries = 0
        self._idles: bool | None = None
        """Whether the server tells of new mail by IDLE; None where it was not tried yet."""

    async def run(self) -> None:
        """Watch until cancelled; reconnects with jittered exponential back-off."""
        while True:
            longest, began = LONGEST_WAIT, self._context.now()
            try:
                connection = await connect(self._imap, self._context.credentials, TIMEOUT)
                began = self._context.now()
                longest = LONGEST_WAIT_LOGGED_IN
                try:
                    await self._watch(connection)
                finally:
                    await connection.close()
            except SentBroke as error:
                log.info("logging in anew", account=self.account, said=str(error))
                continue
            except NotLoggedIn as error:
                await self._failed(str(error))
                await self._tell_refused(str(error))
                longest = LONGEST_WAIT_FOR_PERSON
            except LoginRefused as error:
                await self._failed(f"log-in refused: {Trouble(ProblemKind.LOGIN, str(error)).said}")
                longest = LONGEST_WAIT_LOGGED_IN
                if not error.is_temporary:
                    await self._tell_refused(str(error))
            except (ImapError, OSError, DiskFull) as error:
                if self._is_goodbye(error, self._context.now() - began):
                    log.info("logging in anew", account=self.account, said=str(error))
                    continue
                if isinstance(error, LoginLost):
                    longest = LONGEST_WAIT_LOGGED_IN
                await self._failed(str(error))
            except Transient as error:
                log.warning("mail not stored", account=self.account, error=str(error))
            except Exception as error:
                log.exception("watcher failed", account=self.account)
                await self._failed(f"{type(error).__name__}: {error}")
            self._tries += 1
            wait = min(longest, FIRST_WAIT * 2.0 ** min(self._tries - 1, 12))
            await self._context.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311 - jitter is no secret

    def _is_goodbye(self, error: Exception, lasted: float) -> bool:
        """Whether a connection that went well for long ended as providers end those with an access
        token, Gmail after an hour: that is no fault, and a new one goes well, too."""
        is_lost = isinstance(error, ConnectionLost) and not isinstance(error, LoginLost)
        return is_lost and bool(self._imap.oauth) and lasted >= LONG and self._tries == 0

    async def _failed(self, problem: str) -> None:
        log.warning("mailbox not checked", account=self.account, problem=problem)
        try:
            async with self._context.store.transaction("account-health") as tx:
                await tx.settings.record_check(self.account, time.time(), problem[:300])
        except Transient as error:
            log.warning("health not stored", error=str(error))

    async def _tell_refused(self, text: str) -> None:
        try:
            await self._context.refused(self.account, text)
        except Transient as error:
            log.warning("alarm not stored", error=str(error))

    async def _watch(self, connection: ImapConnection) -> None:
        """Accept new mails and wait for more, in a loop. With several folders, IDLE waits on the
        first one, and the others are checked on each poll. The back-off ends with a whole good
        check after a wait on the same connection: some servers grant a log-in and nothing else."""
        alone = len(self._folders) == 1
        has_waited = False
        while True:
            problem = ""
            for folder in reversed(self._folders):
                try:
                    await folder.take_new(connection)
                except CommandRefused as error:  # a missing folder must not block the others
                    problem = f"folder {folder.name}: {error}"
                    log.warning("folder not read", account=self.account, problem=problem)
            if await self._take_sent(connection) and not problem:
                await self._folders[0].take_new(connection)  # IDLE waits on the one selected last
            if has_waited and not problem:
                self._tries = 0
            async with self._context.store.transaction("account-health") as tx:
                await tx.settings.record_check(self.account, time.time(), problem[:300])
            wait = min(IDLE, self._imap.poll)
            if problem or not await self._idle(connection, wait):
                await self._context.sleep(wait if alone else min(wait, 60.0))
            has_waited = True

    async def _take_sent(self, connection: ImapConnection) -> bool:
        """Accept what was sent from the account by another mail program; after all that came, so
        that its questions are known. Returns whether another folder was selected.

        Nothing waits for that: what keeps it from being read keeps nothing else, and it is left
        alone for a while. Raises SentBroke where the connection is lost by it."""
        if not self._shows_sent or self._context.now() < self._sent_after:
            return False
        try:
            name = await sent_name(connection)
            if name in self._imap.folders:
                return False
            if name is None:
                await self._note_no_sent()
                return False
            if self._sent is None or self._sent.name != name:
                self._sent = FolderReader(self._mail_account, name, is_sent=True)
                self._sent.is_new = await self._had_no_sent()
            await self._sent.take_new(connection)
        except ImapError as error:
            log.info("Sent folder not read", account=self.account, error=str(error))
            self._sent_pause = min(max(2 * self._sent_pause, SENT_WAIT), SENT_LONGEST)
            self._sent_after = self._context.now() + self._sent_pause
            if connection.closed:
                raise SentBroke(str(error)) from error
        else:
            self._sent_pause = 0.0
        return True

    async def _had_no_sent(self) -> bool:
        """Whether the account was seen without a Sent folder: all that is in a new one is news."""
        async with self._context.store.reading() as tx:
            return await tx.settings.value(f"no-sent:{self.account}") is not None

    async def _note_no_sent(self) -> None:
        if self._knows_no_sent:
            return
        async with self._context.store.transaction("account-progress") as tx:
            await tx.settings.set_value(f"no-sent:{self.account}", "1")
        self._knows_no_sent = True

    async def _idle(self, connection: ImapConnection, seconds: float) -> bool:
        """Wait for news; False where the server does not tell any."""
        if self._idles is False or "IDLE" not in connection.capabilities:
            return False
        try:
            await connection.idle(seconds)
        except CommandRefused as error:
            log.warning("no IDLE", account=self.account, error=str(error), poll=seconds)
            await self._learn(idles=False, seconds=seconds)
            return False
        if self._idles is None:
            await self._learn(idles=True, seconds=seconds)
        return True

    async def _learn(self, *, idles: bool, seconds: float) -> None:
        """Store, for `!status`, whether the server tells of new mail at once."""
        self._idles, name = idles, f"polls:{self.account}"
        async with self._context.store.transaction("account-health") as tx:
            if idles:
                await tx.settings.drop_value(name)
            else:
                await tx.settings.set_value(name, str(int(seconds)))
