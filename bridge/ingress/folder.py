"""Read one folder of a mail account: mails with UIDs above the cursor are fetched and accepted, and
the cursor moves in the transaction that stores the mail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bridge.config.inbox import Imap, Inbox
from bridge.desk.inbound.accept import accept, addressed
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    NoSuchMessage,
    TooLarge,
)
from bridge.ingress.source import SourceContext
from bridge.mail.limits import size as megabytes
from bridge.mail.parse import recipients

log = structlog.get_logger("imap")

OUTAGE = 600.0
"""Seconds (or two poll intervals, if longer) without a check after which the new mails in a folder
count as having waited during an outage."""
HEAD = 200_000
"""Bytes fetched of a mail that is over the size limit."""
UIDS_PER_FETCH = 250
"""Maximum UIDs in one FETCH of sizes and dates."""
MAILS_PER_COMMIT, BYTES_PER_COMMIT = 20, 500_000
"""Maximum mails, and their bytes, that are fetched by one command and accepted by one commit."""
FETCH_TRIES, LOST_TRIES = 3, 10
"""Refusals, and lost connections, for one mail after which it is reported and skipped."""
NOT_GIVEN = "NO the server lists this mail and does not give it"
"""The refusal that counts for a mail that FETCH leaves out and SEARCH does not."""


class DiskFull(Exception):
    """The disk is nearly full: mail stays in the mailbox."""


@dataclass(frozen=True, slots=True)
class MailAccount:
    """Values that the folder readers of one account share."""

    context: SourceContext
    inboxes: Sequence[Inbox]
    imap: Imap

    @property
    def name(self) -> str:
        return self.imap.account


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched mail. `oversize` is JSON with size and limit if only the first HEAD bytes were
    fetched, otherwise empty."""

    uid: int
    raw: bytes
    oversize: str = ""


class FolderReader:
    """Accepts the new mails of one folder."""

    def __init__(self, account: MailAccount, folder: str) -> None:
        self._account, self.name = account, folder
        self._store, self._limits = account.context.store, account.context.limits
        self._looked_at: float | None = None
        """When the folder was last checked, in seconds of the monotonic clock."""
        self._waiting: frozenset[int] = frozenset()
        """UIDs of mails that arrived during an outage."""
        self._one_by_one = False
        """Whether fetching several mails at once failed; then each mail is fetched on its own."""

    async def take_new(self, connection: ImapConnection) -> None:
        """Accept every mail above the cursor. Raises CommandRefused if the folder cannot be read,
        ConnectionLost, and DiskFull."""
        validity, uid_next, _ = await connection.select(self.name)
        async with self._store.reading() as tx:
            cursor = await tx.settings.cursor(self._account.name, self.name)
        await self._began()
        if cursor is None:
            since = self._account.imap.starts_at
            last = (uid_next or 1) - 1 if since is None else 0
            if uid_next is None and since is None:
                last = max(await connection.search("ALL"), default=0)
            await self._begin_at_cursor(validity, last, uid_next)
        elif cursor[0] != validity:
            # The folder was recreated, so UIDs are new. Mails we have already are recognised by
            # Message-ID and hash; read the mails that are newer than our first start.
            last = 0
            log.warning("UIDVALIDITY changed", account=self._account.name, folder=self.name)
            await self._begin_at_cursor(validity, 0, uid_next)
        else:
            last = cursor[1]
        uids = [uid for uid in await connection.search(f"UID {last + 1}:*") if uid > last]
        now, before = time.monotonic(), self._looked_at
        outage = max(OUTAGE, 2.0 * self._account.imap.poll)
        nobody_looked = before is None or now - before > outage
        self._waiting = frozenset(uids if nobody_looked else ())
        since, below = await self._rescanning(validity)
        old, fresh = [u for u in uids if u < below], [u for u in uids if u >= below]
        for some, limit in ((old, since), (fresh, None)):
            for start in range(0, len(some), UIDS_PER_FETCH):
                await self._take(connection, validity, some[start : start + UIDS_PER_FETCH], limit)
        self._one_by_one = False
        self._looked_at = time.monotonic()

    async def _began(self) -> float:
        """When this account was first watched, epoch seconds; stored at the first call."""
        name = f"began:{self._account.name}"
        async with self._store.reading() as tx:
            began = await tx.settings.value(name)
        if began is None:
            began = str(self._account.imap.starts_at or time.time())
            async with self._store.transaction("account-progress") as tx:
                await tx.settings.set_value(name, began)
        return float(began)

    async def _rescanning(self, validity: int) -> tuple[float, int]:
        """(epoch seconds, UID): of mails below that UID, only newer ones are accepted."""
        async with self._store.reading() as tx:
            value = await tx.settings.value(f"since:{self._account.name}:{self.name}:{validity}")
        date, _, uid = (value or "0 0").partition(" ")
        return float(date), int(uid)

    async def _begin_at_cursor(self, validity: int, last: int, uid_next: int | None) -> None:
        """Set the cursor of the folder. At 0, old mail is scanned: store since which date and up to
        which UID; mails with later UIDs are new, regardless of their date."""
        since = f"{await self._began()} {uid_next or 2**32}" if last == 0 else None
        name = self._account.name
        async with self._store.transaction("account-progress") as tx:
            await tx.settings.set_cursor(name, self.name, validity, last)
            if since is not None:
                await tx.settings.set_value(f"since:{name}:{self.name}:{validity}", since)

    async def _take(
        self, connection: ImapConnection, validity: int, uids: list[int], since: float | None
    ) -> None:
        """Accept the mails with these UIDs, except those older than `since`, in epoch seconds."""
        try:
            known = {uid: (size, when) for uid, size, when in await connection.fetch_meta(uids)}
        except CommandRefused as error:
            if len(uids) == 1:
                await self._count_failed_fetch(validity, uids[0], error)
                return
            for uid in uids:
                await self._take(connection, validity, [uid], since)
            return
        kept_back = await self._listed(connection, [uid for uid in uids if uid not in known])
        end = min(kept_back, default=uids[-1] + 1)
        wanted = {
            uid: size
            for uid, (size, when) in known.items()
            if uid < end and (since is None or when.timestamp() >= since - 60)
        }
        for run in self._runs(wanted):
            await self._take_run(connection, validity, {uid: wanted[uid] for uid in run})
        if kept_back:
            await self._count_failed_fetch(validity, end, CommandRefused(NOT_GIVEN))
            if later := [uid for uid in uids if uid > end]:
                await self._take(connection, validity, later, since)
        elif uids[-1] in known and uids[-1] not in wanted:
            await self._skip(validity, uids[-1])

    async def _listed(self, connection: ImapConnection, uids: Sequence[int]) -> list[int]:
        """Those of the UIDs that are still in the folder: a mail is gone only when a search says
        so, not when a FETCH leaves it out."""
        if not uids:
            return []
        there = await connection.search(f"UID {','.join(map(str, uids))}")
        return [uid for uid in there if uid in uids]

    def _runs(self, sizes: Mapping[int, int]) -> Iterator[list[int]]:
        """Runs of UIDs in order; small mails share a run."""
        run: list[int] = []
        total = 0
        for uid in sorted(sizes):
            total += sizes[uid]
            most = 0 if self._one_by_one else min(BYTES_PER_COMMIT, self._limits.mail_size)
            if run and (len(run) == MAILS_PER_COMMIT or total > most):
                yield run
                run, total = [], sizes[uid]
            run.append(uid)
        if run:
            yield run

    async def _take_run(
        self, connection: ImapConnection, validity: int, sizes: Mapping[int, int]
    ) -> None:
        """Accept a run of mails, in one commit if the server returns all of them."""
        self._have_room(sizes.values())
        if len(sizes) > 1:
            try:
                raws = await connection.fetch_raws(list(sizes), 2 * BYTES_PER_COMMIT)
            except ImapError:
                self._one_by_one = True
                if connection.closed:
                    raise
            else:
                if raws.keys() == sizes.keys():
                    mails = [Fetched(uid, raws[uid]) for uid in sorted(raws)]
                    await self._accept(connection, validity, mails)
                    return
        for uid, size in sizes.items():
            await self._take_one(connection, validity, uid, size)

    def _have_room(self, sizes: Iterable[int]) -> None:
        free, limit = self._account.context.free(), self._limits.mail_size
        needed = sum(size if size <= limit else HEAD for size in sizes)
        if free is not None and free < self._limits.free_disk + needed:
            raise DiskFull(
                f"the disk of the database has {megabytes(free)} left, and free_disk in config.yaml"
                f" keeps {megabytes(self._limits.free_disk)}; mail waits in the mailbox"
            )

    async def _take_one(
        self, connection: ImapConnection, validity: int, uid: int, size: int
    ) -> None:
        limit = self._limits.mail_size
        try:
            if size > limit:
                oversize = json.dumps({"size": size, "limit": limit})
                mail = Fetched(uid, await connection.fetch_partial(uid, HEAD), oversize)
            else:
                # servers count line ends differently: allow more than the limit
                mail = Fetched(uid, await connection.fetch_raw(uid, limit + limit // 8))
        except NoSuchMessage:
            if await self._listed(connection, [uid]):
                await self._count_failed_fetch(validity, uid, CommandRefused(NOT_GIVEN))
            else:
                await self._skip(validity, uid)
        except ImapError as error:
            await self._count_failed_fetch(validity, uid, error)
            if connection.closed:
                raise
        else:
            await self._accept(connection, validity, [mail])

    async def _accept(
        self, connection: ImapConnection, validity: int, mails: Sequence[Fetched]
    ) -> None:
        inboxes = self._account.inboxes
        several = len(inboxes) > 1  # with one inbox, no header has to be parsed
        async with self._store.transaction("accept") as tx:
            for mail in mails:
                own = addressed(inboxes, recipients(mail.raw) if several else ())
                waited = mail.uid in self._waiting
                key = self._key(validity, mail.uid)
                await accept(tx, own, key, mail.raw, mail.oversize, time.time(), was_waiting=waited)
            last = mails[-1].uid
            await tx.settings.set_cursor(self._account.name, self.name, validity, last)
        if self._account.imap.mark_seen:
            try:
                await connection.store_seen([mail.uid for mail in mails])
            except CommandRefused as error:
                log.info("Seen not set", account=self._account.name, error=str(error))

    def _key(self, validity: int, uid: int) -> str:
        return f"imap:{self._account.name}:{self.name}:{validity}:{uid}"

    async def _count_failed_fetch(self, validity: int, uid: int, error: ImapError) -> None:
        """Handle a mail that cannot be fetched. Raises ConnectionLost until it was tried often
        enough; then accepts a mail that reports it, and moves the cursor past it."""
        if isinstance(error, CommandRefused) and error.is_temporary:
            raise ConnectionLost(f"the server asks for patience: {error}")
        account, folder = self._account, self.name
        async with self._store.transaction("account-progress") as tx:
            tries = await tx.settings.failed_fetch(account.name, f"{folder}:{validity}:{uid}")
        refused = isinstance(error, CommandRefused | TooLarge)
        if tries < (FETCH_TRIES if refused else LOST_TRIES):
            raise ConnectionLost(f"mail {uid} in {folder} could not be fetched: {error}")
        text = (
            f"Subject: A mail that could not be fetched\r\nFrom: {account.imap.user}\r\n"
            f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}\r\n\r\n"
            f"Mail {uid} in folder {folder} of {account.name} could not be fetched: {error}\r\n"
            "It is still in the mailbox; read it there.\r\n"
        )
        async with self._store.transaction("accept") as tx:
            inboxes = addressed(account.inboxes, ())
            await accept(tx, inboxes, self._key(validity, uid), text.encode(), "", time.time())
            await tx.settings.set_cursor(account.name, folder, validity, uid)

    async def _skip(self, validity: int, uid: int) -> None:
        async with self._store.transaction("account-progress") as tx:
            await tx.settings.set_cursor(self._account.name, self.name, validity, uid)
