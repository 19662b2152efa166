"""A mail account watched over IMAP: every new mail is accepted before the cursor moves."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import structlog

from bridge.chat.diagnosis import ProblemKind, Trouble
from bridge.config.inbox import Imap, Inbox
from bridge.config.settings import Limits
from bridge.desk.inbound.accept import accept, addressed
from bridge.imap.account import connect
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    LoginRefused,
    NoSuchMessage,
    TooLarge,
)
from bridge.mail.limits import size as megabytes
from bridge.mail.parse import recipients
from bridge.model import Transient
from bridge.ports import Store

log = structlog.get_logger("imap")

OUTAGE = 600.0
"""Seconds without a look, or two polls of it, after which what a folder holds counts as having
waited."""
HEAD = 200_000
"""Bytes that are fetched of a mail over the limit."""
IDLE = 28 * 60.0
"""Seconds of one IDLE; RFC 2177 lets the server hang up after 30 minutes."""
BATCH = 250
"""UIDs asked for at once."""
TIMEOUT = 60.0
"""Seconds of silence after which a connection is given up."""
FIRST_WAIT = 1.0
FETCH_TRIES, LOST_TRIES = 3, 10
"""Refusals, and connections lost over one mail, after which it is told of and passed by."""
LONGEST_WAIT = 300.0
LONGEST_WAIT_REFUSED = 900.0
Refused = Callable[[str, str], Awaitable[None]]
"""Told (account, what the server said) when a log-in is refused."""


class NoRoom(Exception):
    """The disk is nearly full: mail stays where it is."""


class Watcher:
    """Watches one account; its inboxes share the connection."""

    def __init__(
        self,
        store: Store,
        inboxes: Sequence[Inbox],
        limits: Limits,
        refused: Refused,
        free: Callable[[], int | None],
    ) -> None:
        """`free` tells how many bytes the disk of the database has left, where that is known."""
        assert inboxes[0].imap is not None
        self._store, self._inboxes, self._limits = store, inboxes, limits
        self._imap: Imap = inboxes[0].imap
        self._refused = refused
        self._free = free
        self._looked_at: dict[str, float] = {}
        """When each folder was last looked at, in seconds of the machine's own clock."""
        self._waiting: frozenset[int] = frozenset()
        """The UIDs of the folder that arrived while nobody looked."""
        self.account = self._imap.account
        self._tries = 0

    async def run(self) -> None:
        """Watch until cancelled; lost connections are made anew with jittered back-off."""
        while True:
            longest = LONGEST_WAIT
            try:
                connection = await connect(self._imap, TIMEOUT)
                try:
                    await self._watch(connection)
                finally:
                    await connection.close()
            except LoginRefused as error:
                await self._failed(f"log-in refused: {Trouble(ProblemKind.LOGIN, str(error)).said}")
                if not error.is_temporary:
                    longest = LONGEST_WAIT_REFUSED
                    await self._tell_refused(str(error))
            except (ImapError, OSError, NoRoom) as error:
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
            async with self._store.transaction("account-health") as tx:
                await tx.settings.check(self.account, time.time(), problem[:300])
        except Transient as error:
            log.warning("health not stored", error=str(error))

    async def _tell_refused(self, text: str) -> None:
        try:
            await self._refused(self.account, text)
        except Transient as error:
            log.warning("alarm not stored", error=str(error))

    async def _watch(self, connection: ImapConnection) -> None:
        """Take what is new, wait for more, again. With several folders the first one is waited
        on, and the others are looked at on each poll."""
        has_idle = "IDLE" in connection.capabilities
        alone = len(self._imap.folders) == 1
        while True:
            problem = ""
            for folder in reversed(self._imap.folders):
                try:
                    await self._take(connection, folder)
                except CommandRefused as error:  # one folder that is gone holds no other up
                    problem = f"folder {folder}: {error}"
                    log.warning("folder not read", account=self.account, problem=problem)
            self._tries = 0
            async with self._store.transaction("account-health") as tx:
                await tx.settings.check(self.account, time.time(), problem[:300])
            wait = min(IDLE, self._imap.poll)
            if has_idle:
                await connection.idle(wait)
            else:
                await asyncio.sleep(wait if alone else min(wait, 60.0))

    async def _take(self, connection: ImapConnection, folder: str) -> None:
        """Accept every mail of a folder above the cursor."""
        validity, uid_next, _ = await connection.select(folder)
        async with self._store.reading() as tx:
            cursor = await tx.settings.cursor(self.account, folder)
        since: float | None = None
        await self._began()
        if cursor is None:
            since = self._imap.starts_at
            last = (uid_next or 1) - 1 if since is None else 0
            if uid_next is None and since is None:
                last = max(await connection.search("ALL"), default=0)
            await self._move(folder, validity, last, uid_next)
        elif cursor[0] != validity:
            # The folder was made anew: every UID is another mail. What we have is known by its
            # Message-ID and hash; look at what is younger than our first start.
            last = 0
            log.warning("UIDVALIDITY changed", account=self.account, folder=folder)
            await self._move(folder, validity, 0, uid_next)
        else:
            last = cursor[1]
        uids = [uid for uid in await connection.search(f"UID {last + 1}:*") if uid > last]
        now, before = time.monotonic(), self._looked_at.get(folder)
        nobody_looked = before is None or now - before > max(OUTAGE, 2.0 * self._imap.poll)
        self._waiting = frozenset(uids if nobody_looked else ())
        since, below = await self._rescanning(folder, validity)
        old, fresh = [u for u in uids if u < below], [u for u in uids if u >= below]
        for some, limit in ((old, since), (fresh, None)):
            for start in range(0, len(some), BATCH):
                batch = some[start : start + BATCH]
                await self._take_batch(connection, folder, validity, batch, limit)
        self._looked_at[folder] = time.monotonic()

    async def _began(self) -> float:
        """When this account was first watched."""
        async with self._store.transaction("account-progress") as tx:
            began = await tx.settings.value(f"began:{self.account}")
            if began is None:
                began = str(self._imap.starts_at or time.time())
                await tx.settings.set_value(f"began:{self.account}", began)
        return float(began)

    async def _rescanning(self, folder: str, validity: int) -> tuple[float, int]:
        """(date, UID): of the UIDs below it, only mail younger than the date is taken."""
        async with self._store.reading() as tx:
            value = await tx.settings.value(f"since:{self.account}:{folder}:{validity}")
        date, _, uid = (value or "0 0").partition(" ")
        return float(date), int(uid)

    async def _move(self, folder: str, validity: int, last: int, uid_next: int | None) -> None:
        """Begin a folder at a cursor; where old mail is scanned, from which date, and up to
        which UID: what comes later is new, whatever date it bears."""
        since = f"{await self._began()} {uid_next or 2**32}" if last == 0 else None
        async with self._store.transaction("account-progress") as tx:
            await tx.settings.set_cursor(self.account, folder, validity, last)
            if since is not None:
                await tx.settings.set_value(f"since:{self.account}:{folder}:{validity}", since)

    async def _take_batch(
        self,
        connection: ImapConnection,
        folder: str,
        validity: int,
        uids: list[int],
        since: float | None,
    ) -> None:
        try:
            meta = {uid: (size, when) for uid, size, when in await connection.fetch_meta(uids)}
        except CommandRefused as error:
            if len(uids) == 1:
                await self._unfetched(folder, validity, uids[0], error)
                return
            for uid in uids:
                await self._take_batch(connection, folder, validity, [uid], since)
            return
        for uid in uids:
            if uid not in meta:
                continue  # expunged before we came
            size, when = meta[uid]
            if since is not None and when.timestamp() < since - 60:
                await self._skip(folder, validity, uid)
                continue
            await self._take_one(connection, folder, validity, uid, size)

    async def _take_one(
        self, connection: ImapConnection, folder: str, validity: int, uid: int, size: int
    ) -> None:
        limit, note = self._limits.mail_size, ""
        free = self._free()
        needed = size if size <= limit else HEAD
        if free is not None and free < self._limits.free_disk + needed:
            raise NoRoom(
                f"the disk of the database has {megabytes(free)} left, and free_disk in config.yaml"
                f" keeps {megabytes(self._limits.free_disk)}; mail waits in the mailbox"
            )
        try:
            if size > limit:
                raw, note = await self._head(connection, uid, size)
            else:
                # servers count sizes differently: leave room for their line ends
                raw = await connection.fetch_raw(uid, limit + limit // 8)
        except NoSuchMessage:
            await self._skip(folder, validity, uid)
            return
        except ImapError as error:
            await self._unfetched(folder, validity, uid, error)
            if connection.closed:
                raise
            return
        several = len(self._inboxes) > 1  # else nothing of a mail is read here
        inboxes = addressed(self._inboxes, recipients(raw) if several else ())
        key = f"imap:{self.account}:{folder}:{validity}:{uid}"
        async with self._store.transaction("accept") as tx:
            waited = uid in self._waiting
            await accept(tx, inboxes, key, raw, note, time.time(), was_waiting=waited)
            await tx.settings.set_cursor(self.account, folder, validity, uid)
        if self._imap.mark_seen:
            try:
                await connection.store_seen(uid)
            except CommandRefused as error:
                log.info("Seen not set", account=self.account, error=str(error))

    async def _head(self, connection: ImapConnection, uid: int, size: int) -> tuple[bytes, str]:
        """The first bytes of a mail that is too large, and what is left in the mailbox."""
        raw = await connection.fetch_partial(uid, HEAD)
        return raw, json.dumps({"size": size, "limit": self._limits.mail_size})

    async def _unfetched(self, folder: str, validity: int, uid: int, error: ImapError) -> None:
        """One mail that cannot be fetched is tried some times, then told of and passed by."""
        if isinstance(error, CommandRefused) and error.is_temporary:
            raise ConnectionLost(f"the server asks for patience: {error}")
        async with self._store.transaction("account-progress") as tx:
            key = f"{folder}:{validity}:{uid}"
            tries = await tx.settings.failed_fetch(self.account, key)
        refused = isinstance(error, CommandRefused | TooLarge)
        if tries < (FETCH_TRIES if refused else LOST_TRIES):
            raise ConnectionLost(f"mail {uid} in {folder} could not be fetched: {error}")
        text = (
            f"Subject: A mail that could not be fetched\r\nFrom: {self._imap.user}\r\n"
            f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}\r\n\r\n"
            f"Mail {uid} in folder {folder} of {self.account} could not be fetched: {error}\r\n"
            "It is still in the mailbox; read it there.\r\n"
        )
        async with self._store.transaction("accept") as tx:
            inboxes = addressed(self._inboxes, ())
            key = f"imap:{self.account}:{folder}:{validity}:{uid}"
            await accept(tx, inboxes, key, text.encode(), "", time.time())
            await tx.settings.set_cursor(self.account, folder, validity, uid)

    async def _skip(self, folder: str, validity: int, uid: int) -> None:
        async with self._store.transaction("account-progress") as tx:
            await tx.settings.set_cursor(self.account, folder, validity, uid)
