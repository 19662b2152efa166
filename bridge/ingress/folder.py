"""Read one folder of a mail account: mails with UIDs above the cursor are fetched and accepted, and
the cursor moves in the transaction that stores the mail."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import structlog

from bridge.config.inbox import Inbox
from bridge.desk.inbound.accept import Age, accept, addressed
from bridge.imap.connection import ImapConnection
from bridge.imap.folders import is_junk
from bridge.imap.syntax import CommandRefused, ConnectionLost, ImapError, NoSuchMessage
from bridge.ingress.account import DiskFull, Fetched, MailAccount
from bridge.ingress.cursor import FolderCursor
from bridge.ingress.held import HeldBack
from bridge.mail.limits import size as megabytes
from bridge.mail.parse import recipients, senders

log = structlog.get_logger("imap")

OUTAGE = 600.0
"""Seconds (or two poll intervals, if longer) without a check after which the new mails in a folder
count as having waited during an outage."""
HEAD = 200_000
"""Bytes fetched of a mail that is over the size limit."""
UIDS_PER_FETCH = 250
"""Maximum UIDs in one FETCH of sizes and dates."""
MAILS_PER_COMMIT, OLD_PER_COMMIT = 20, 100
"""Maximum mails that are fetched by one command and accepted by one commit: of those that arrive,
and of those that were in the mailbox before, where nobody waits for the first."""
BYTES_PER_MAIL = 25_000
"""Maximum average of the bytes of mails that share a commit, as the server says their sizes."""
BYTES_PER_FETCH = 2 * OLD_PER_COMMIT * BYTES_PER_MAIL
NOT_GIVEN = "NO the server lists this mail and does not give it"
"""The refusal that counts for a mail that FETCH leaves out and SEARCH does not."""


class FolderReader:
    """Accepts the new mails of one folder."""

    def __init__(self, account: MailAccount, folder: str, *, is_sent: bool = False) -> None:
        """`is_sent`: it holds what was sent from the account, and not what came."""
        self._account, self.name, self.is_sent = account, folder, is_sent
        self.is_new = False
        """Whether the folder was made while the account was watched: all in it is new."""
        self._store, self._limits = account.context.store, account.context.limits
        self._looked_at: float | None = None
        """When the folder was last checked, in seconds of the monotonic clock."""
        self._waiting: frozenset[int] = frozenset()
        """UIDs of mails that arrived during an outage."""
        self._old: frozenset[int] = frozenset()
        """UIDs of mails that were there before the folder was watched, or was made anew."""
        self._cursor = FolderCursor(account, folder)
        self._held = HeldBack(account, folder)
        self._lost_at = 0
        """UID of the mail at which the connection was lost last."""
        self._one_by_one = False
        """Whether fetching several mails at once failed; then each mail is fetched on its own."""
        self._is_junk: bool | None = None
        """Whether the server puts spam into it; None before it was asked."""

    async def take_new(self, connection: ImapConnection) -> None:
        """Accept every mail above the cursor, and those held that are due. Raises CommandRefused if
        the folder cannot be read, ConnectionLost, and DiskFull."""
        validity, uid_next, _ = await connection.select(self.name)
        async with self._store.reading() as tx:
            cursor = await tx.settings.cursor(self._account.name, self.name)
        await self._cursor.began()
        if self._is_junk is None and not self.is_sent:
            self._is_junk = await is_junk(connection, self.name)
        if cursor is None:
            since = self._account.imap.starts_at
            from_now = since is None and not self.is_new
            last = (uid_next or 1) - 1 if from_now else 0
            if uid_next is None and from_now:
                last = max(await connection.search("ALL"), default=0)
            await self._cursor.begin(validity, last, uid_next)
        elif cursor[0] != validity:
            # The folder was recreated, so UIDs are new. Mails we have already are recognised by
            # Message-ID and hash; read the mails that are newer than our first start.
            last = 0
            log.warning("UIDVALIDITY changed", account=self._account.name, folder=self.name)
            await self._cursor.begin(validity, 0, uid_next)
        else:
            last = cursor[1]
        await self._held.begin(validity)
        found = await connection.search(f"UID {last + 1}:*")
        uids = [uid for uid in found if uid > last and uid not in self._held]
        before, outage = self._looked_at, max(OUTAGE, 2.0 * self._account.imap.poll)
        nobody_looked = before is None or time.monotonic() - before > outage
        self._waiting = frozenset(uids if nobody_looked else ())
        since, below = await self._cursor.rescanning(validity)
        old, fresh = [u for u in uids if u < below], [u for u in uids if u >= below]
        self._old = frozenset(old)
        try:
            for some, limit in ((old, since), (fresh, None)):
                for start in range(0, len(some), UIDS_PER_FETCH):
                    part = some[start : start + UIDS_PER_FETCH]
                    await self._take(connection, validity, part, limit)
            await self._take_held(connection, validity, since, below)
        except ImapError:
            if not self.is_sent:  # of what was sent, nobody waits to hear
                await self._held.judge()
            raise
        if not self.is_sent:
            await self._held.judge(connection)
        self._one_by_one = False
        self._looked_at = time.monotonic()

    async def _take(
        self, connection: ImapConnection, validity: int, uids: list[int], since: float | None
    ) -> None:
        """Accept the mails with these UIDs, except those older than `since`, in epoch seconds."""
        try:
            known = {uid: (size, when) for uid, size, when in await connection.fetch_meta(uids)}
        except CommandRefused as error:
            if len(uids) == 1:
                await self._hold(validity, uids[0], error)
                return
            for uid in uids:
                await self._take(connection, validity, [uid], since)
            return
        for uid in await self._listed(connection, [uid for uid in uids if uid not in known]):
            await self._held.hold(uid, CommandRefused(NOT_GIVEN))
        wanted = {
            uid: size
            for uid, (size, when) in known.items()
            if since is None or when is None or when.timestamp() >= since - 60
        }
        for run in self._runs(wanted, MAILS_PER_COMMIT if since is None else OLD_PER_COMMIT):
            await self._take_run(connection, validity, {uid: wanted[uid] for uid in run})
        if uids[-1] not in wanted:
            await self._skip(validity, uids[-1])

    async def _take_held(
        self, connection: ImapConnection, validity: int, since: float, below: int
    ) -> None:
        """Ask again for the mails that were not given before; see FolderCursor.rescanning."""
        due = self._held.due()[:UIDS_PER_FETCH]
        there = await self._listed(connection, due)
        for uid in due:
            if uid not in there:
                await self._held.release(uid)
                continue
            try:
                told = await connection.fetch_meta([uid])
            except CommandRefused as error:
                await self._held.hold(uid, error)
                continue
            size, when = (told[0][1], told[0][2]) if told else (0, None)
            if uid < below and when is not None and when.timestamp() < since - 60:
                await self._held.release(uid)
                continue
            self._have_room([size])
            await self._take_one(connection, validity, uid, size)
        if due and self._held.is_alone:
            await self._compare(connection, due[0])

    async def _compare(self, connection: ImapConnection, uid: int) -> None:
        """Ask for another mail, a small one: whether the server refuses one mail, or all."""
        near = f"UID {max(1, uid - UIDS_PER_FETCH)}:{uid + UIDS_PER_FETCH}"
        others = [each for each in await connection.search(near) if each not in self._held]
        with contextlib.suppress(CommandRefused):
            sizes = await connection.fetch_meta(others[-10:]) if others else []
            size, other = min(((size, one) for one, size, _ in sizes if size), default=(0, 0))
            if 0 < size <= BYTES_PER_FETCH // 2:
                await connection.fetch_raw(other, BYTES_PER_FETCH)
                self._held.give(1)

    async def _listed(self, connection: ImapConnection, uids: Sequence[int]) -> list[int]:
        """Those of the UIDs that a search finds: a FETCH may leave out a mail that is there."""
        if not uids:
            return []
        there = await connection.search(f"UID {','.join(map(str, uids))}")
        return [uid for uid in there if uid in uids]

    def _runs(self, sizes: Mapping[int, int], count: int) -> Iterator[list[int]]:
        """Runs of up to `count` UIDs in order; small mails share a run."""
        run: list[int] = []
        total, most = 0, min(count * BYTES_PER_MAIL, self._limits.mail_size)
        for uid in sorted(sizes):
            # a mail whose size the server does not say is alone
            size = most if self._one_by_one or not sizes[uid] else sizes[uid]
            if run and (len(run) == count or total + size > most):
                yield run
                run, total = [], 0
            run.append(uid)
            total += size
        if run:
            yield run

    async def _take_run(
        self, connection: ImapConnection, validity: int, sizes: Mapping[int, int]
    ) -> None:
        """Accept a run of mails, in one commit if the server returns all of them."""
        self._have_room(sizes.values())
        if len(sizes) > 1:
            try:
                raws = await connection.fetch_raws(list(sizes), BYTES_PER_FETCH)
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
                await self._hold(validity, uid, CommandRefused(NOT_GIVEN))
            else:
                await self._skip(validity, uid)
        except ImapError as error:
            if isinstance(error, ConnectionLost) and self._lost_at != uid:
                self._lost_at = uid  # any connection may break; this mail is the next to be taken
                raise
            await self._hold(validity, uid, error)
            if connection.closed:
                raise
        else:
            await self._accept(connection, validity, [mail])

    async def _accept(
        self, connection: ImapConnection, validity: int, mails: Sequence[Fetched]
    ) -> None:
        async with self._store.transaction("accept") as tx:
            for mail in mails:
                own = self._owners(mail.raw)
                key = self._account.key(self.name, validity, mail.uid)
                age: Age = "waited" if mail.uid in self._waiting else "new"
                age = "old" if mail.uid in self._old else age
                await accept(tx, own, key, mail.raw, self._note(mail), time.time(), age=age)
                if mail.uid in self._held:
                    await tx.held.release(self._account.name, self.name, validity, mail.uid)
            last = mails[-1].uid
            if last not in self._held:
                await tx.settings.set_cursor(self._account.name, self.name, validity, last)
        self._held.give(len(mails))
        if self._account.imap.mark_seen and not self.is_sent:
            try:
                await connection.store_seen([mail.uid for mail in mails])
            except CommandRefused as error:
                log.info("Seen not set", account=self._account.name, error=str(error))

    def _owners(self, raw: bytes) -> list[Inbox]:
        """The inboxes of the account that a mail is for, or by."""
        inboxes = self._account.inboxes
        if self.is_sent:
            by = senders(raw)
            return [each for each in inboxes if each.shows_sent and by & each.own]
        several = len(inboxes) > 1  # with one inbox, no header has to be parsed
        return addressed(inboxes, recipients(raw) if several else ())

    def _note(self, mail: Fetched) -> str:
        """What is to be known of a mail beside its bytes; see desk.inbound.accept."""
        where = {"sent": self.name} if self.is_sent else {}
        where |= {"junk": self.name} if self._is_junk else {}
        known = {**json.loads(mail.oversize or "{}"), **where, **self._held.note(mail.uid)}
        return json.dumps(known) if known else ""

    async def _hold(self, validity: int, uid: int, error: ImapError) -> None:
        """Hold a mail back, and go on with the others."""
        await self._held.hold(uid, error)
        await self._skip(validity, uid)

    async def _skip(self, validity: int, uid: int) -> None:
        """Move the cursor past a mail, unless it was passed before."""
        if uid in self._held:
            return
        async with self._store.transaction("account-progress") as tx:
            await tx.settings.set_cursor(self._account.name, self.name, validity, uid)
