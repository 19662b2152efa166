"""Watch a mail account over IMAP and accept its new mails."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import structlog

from bridge.chat.diagnosis import ProblemKind, Trouble
from bridge.config.inbox import Inbox
from bridge.imap.account import connect
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import CommandRefused, ImapError, LoginRefused
from bridge.ingress.folder import DiskFull, FolderReader, MailAccount
from bridge.ingress.source import SourceContext
from bridge.model import Transient

log = structlog.get_logger("imap")

IDLE = 28 * 60.0
"""Maximum seconds of one IDLE; servers may disconnect after 30 minutes (RFC 2177)."""
TIMEOUT = 60.0
"""Seconds without data after which a connection is closed."""
FIRST_WAIT = 1.0
LONGEST_WAIT = 300.0
LONGEST_WAIT_REFUSED = 900.0


class Watcher:
    """Watches one account; its inboxes share the connection. Implements source.Source."""

    def __init__(self, context: SourceContext, inboxes: Sequence[Inbox]) -> None:
        imap = inboxes[0].imap
        assert imap is not None
        self._context, self._imap = context, imap
        account = MailAccount(context, inboxes, imap)
        self._folders = [FolderReader(account, folder) for folder in imap.folders]
        self.account = account.name
        self._tries = 0

    async def run(self) -> None:
        """Watch until cancelled; reconnects with jittered exponential back-off."""
        while True:
            longest = LONGEST_WAIT
            try:
                connection = await connect(self._imap, self._context.credentials, TIMEOUT)
                try:
                    await self._watch(connection)
                finally:
                    await connection.close()
            except LoginRefused as error:
                await self._failed(f"log-in refused: {Trouble(ProblemKind.LOGIN, str(error)).said}")
                if not error.is_temporary:
                    longest = LONGEST_WAIT_REFUSED
                    await self._tell_refused(str(error))
            except (ImapError, OSError, DiskFull) as error:
                await self._failed(str(error))
            except Transient as error:
                log.warning("mail not stored", account=self.account, error=str(error))
            except Exception as error:
                log.exception("watcher failed", account=self.account)
                await self._failed(f"{type(error).__name__}: {error}")
            self._tries += 1
            wait = min(longest, FIRST_WAIT * 2.0 ** min(self._tries - 1, 10))
            if longest == LONGEST_WAIT_REFUSED:
                wait = min(longest, wait * 15)
            await asyncio.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311 - jitter is no secret

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
        first one, and the others are checked on each poll."""
        has_idle = "IDLE" in connection.capabilities
        alone = len(self._folders) == 1
        while True:
            problem = ""
            for folder in reversed(self._folders):
                try:
                    await folder.take_new(connection)
                except CommandRefused as error:  # a missing folder must not block the others
                    problem = f"folder {folder.name}: {error}"
                    log.warning("folder not read", account=self.account, problem=problem)
            self._tries = 0
            async with self._context.store.transaction("account-health") as tx:
                await tx.settings.record_check(self.account, time.time(), problem[:300])
            wait = min(IDLE, self._imap.poll)
            if has_idle:
                await connection.idle(wait)
            else:
                await asyncio.sleep(wait if alone else min(wait, 60.0))
