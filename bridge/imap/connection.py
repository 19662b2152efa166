"""Commands of an IMAP connection: folders, search, fetch, IDLE, append."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from aioimaplib import aioimaplib as lib

from bridge import failpoint
from bridge.imap.protocol import SMALL_LITERAL
from bridge.imap.session import SLOWEST, Session
from bridge.imap.syntax import (
    CommandRefused,
    Folder,
    NoSuchMessage,
    clean,
    mailbox,
    parse,
    parse_date,
    utf7_decode,
)

ASKED = (b"BODY[", b"RFC822.SIZE")
"""What only an answer to a FETCH of ours has: servers also announce flags unasked."""


class ImapConnection(Session):
    """A logged-in connection with the commands for folders and messages."""

    async def select(self, folder: str | Folder) -> tuple[int, int | None, int]:
        """Select a folder; returns (UIDVALIDITY, UIDNEXT, EXISTS)."""
        name = mailbox(folder)
        async with self._exclusive_use() as p:
            try:
                done = await p.command("SELECT", name, want=(b"OK", b"EXISTS"))
            except CommandRefused:
                p.state = lib.AUTH
                raise
            p.state = lib.SELECTED
            p.news = False
            said = b"\n".join(reply[0] for reply in done.replies).upper()
            validity = re.search(rb"^OK \[UIDVALIDITY (\d+)", said, re.M)
            following = re.search(rb"^OK \[UIDNEXT (\d+)", said, re.M)
            exists = re.findall(rb"^(\d+) EXISTS", said, re.M)
            if not validity or not exists:
                raise CommandRefused("NO the server gives no UIDVALIDITY or EXISTS")
            return int(validity[1]), int(following[1]) if following else None, int(exists[-1])

    async def search(self, criteria: str) -> list[int]:
        if not criteria.isascii() or not criteria.isprintable():
            raise ValueError("criteria must be printable ASCII")
        async with self._exclusive_use() as p:
            p.news = False  # an announcement after this point ends the next idle() at once
            done = await p.command("SEARCH", criteria, uid=True, want=(b"SEARCH",))
            return sorted(
                {int(n) for [line] in done.replies for n in line.partition(b"(")[0].split()[1:]}
            )

    async def _fetch(
        self, uids: Collection[int], items: str, limit: int = 0
    ) -> dict[int, dict[bytes, Any]]:
        found: dict[int, dict[bytes, Any]] = {int(uid): {} for uid in uids}
        if not 0 < len(found) <= 250 or min(found) < 1:
            raise ValueError("1 to 250 UIDs")
        async with self._exclusive_use(transfer=limit) as p:
            done = await p.command(
                "FETCH",
                ",".join(map(str, sorted(found))),
                items,
                uid=True,
                want=(b"FETCH",),
                max_literal=limit or SMALL_LITERAL,
            )
            for reply in done.replies:
                pairs = parse(reply)[2]
                data = {
                    key.upper().partition(b"<")[0]: value
                    for key, value in zip(pairs[::2], pairs[1::2], strict=False)
                }
                # the only message that was asked for needs no UID in the answer
                alone = len(found) == 1 and any(key.startswith(ASKED) for key in data)
                uid = int(data.get(b"UID") or (next(iter(found)) if alone else 0))
                if uid in found:
                    found[uid].update(data)
        return found

    async def fetch_meta(self, uids: Collection[int]) -> list[tuple[int, int, datetime | None]]:
        """(UID, bytes, INTERNALDATE) of each message the server tells of. 0 and None stand for what
        it does not say: Exchange and others leave sizes and dates out now and then."""
        found = await self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE)")
        return [
            (uid, int(size) if isinstance(size, bytes) and size.isdigit() else 0,
             parse_date(when) if isinstance(when, bytes) else None)
            for uid, data in found.items()
            if data
            for size, when in [(data.get(b"RFC822.SIZE"), data.get(b"INTERNALDATE"))]
        ]  # fmt: skip

    async def _fetch_body(self, uid: int, section: str, part: str, limit: int) -> bytes:
        found = (await self._fetch([uid], f"(UID BODY.PEEK[{section}]{part})", limit))[uid]
        body = found.get(b"BODY[%s]" % section.encode())
        if not isinstance(body, bytes):
            raise NoSuchMessage(f"NO [NONEXISTENT] message {uid} is gone")
        return body

    async def fetch_raws(self, uids: Collection[int], limit: int) -> dict[int, bytes]:
        """Messages by UID, without those the server does not give. More than `limit` bytes in
        total end the connection (TooLarge)."""
        found = await self._fetch(uids, "(UID BODY.PEEK[])", limit)
        bodies = {uid: data.get(b"BODY[]") for uid, data in found.items()}
        return {uid: body for uid, body in bodies.items() if isinstance(body, bytes)}

    async def fetch_raw(self, uid: int, limit: int) -> bytes:
        """The message. A message over `limit` bytes ends the connection (TooLarge), so check its
        size first. Raises NoSuchMessage."""
        return await self._fetch_body(uid, "", "", limit)

    async def fetch_header(self, uid: int, limit: int) -> bytes:
        """The header of a message, with the empty line behind it."""
        return await self._fetch_body(uid, "HEADER", "", limit)

    async def fetch_partial(self, uid: int, n_bytes: int) -> bytes:
        return await self._fetch_body(uid, "", f"<0.{n_bytes}>", n_bytes)

    async def idle(self, timeout: float) -> bool:
        """Wait for news from the server. True if the folder changed since the last search(), or
        wake() was called; False if neither happened within `timeout` seconds."""
        if "IDLE" not in self.capabilities:
            raise CommandRefused("NO the server has no IDLE")
        async with self._exclusive_use(patience=timeout + 3 * self.timeout) as p:
            if not (p.news or self._woken):
                await p.idle_until(lambda: p.news or self._woken, timeout, self.timeout)
            happened = p.news or self._woken
            p.news = self._woken = False
            return happened

    def wake(self) -> None:
        self._woken = True
        self._p.changed.set()

    async def store_seen(self, uids: Iterable[int]) -> None:
        """Set the Seen flag for people who read the mailbox; the bridge never relies on it."""
        some = ",".join(str(int(uid)) for uid in uids)
        async with failpoint.around("imap.seen"), self._exclusive_use() as p:
            await p.command("STORE", some, "+FLAGS.SILENT", "(\\Seen)", uid=True)

    async def append(
        self,
        folder: str | Folder,
        raw: bytes,
        flags: Iterable[str] = (),
        when: datetime | None = None,
    ) -> int | None:
        """Append a message; returns its UID if the server reports it."""
        args = [mailbox(folder), "({})".format(" ".join(flags))]
        if not re.fullmatch(r"\((\\?[A-Za-z0-9$_.-]+ ?)*\)", args[1]):
            raise ValueError("bad flag")
        if when:
            args.append(lib.time2internaldate(when.astimezone(UTC)))
        patience = self.timeout + len(raw) / SLOWEST
        async with failpoint.around("imap.append"), self._exclusive_use(patience=patience) as p:
            done = await p.command("APPEND", *args, f"{{{len(raw)}}}", answers=(raw + b"\r\n",))
            uid = re.search(r"\[APPENDUID \d+ (\d+)\]", done.text, re.I)
            return int(uid[1]) if uid else None

    async def create(self, folder: str) -> None:
        async with self._exclusive_use() as p:
            await p.command("CREATE", mailbox(folder))

    async def personal_prefix(self) -> str:
        """What names of folders of one's own begin with, such as `INBOX.` (RFC 2342); empty where
        the server does not say."""
        if "NAMESPACE" not in self.capabilities:
            return ""
        async with self._exclusive_use() as p:
            done = await p.command("NAMESPACE", want=(b"NAMESPACE",))
            for reply in done.replies:
                match parse(reply):
                    case [_, [[bytes(prefix), *_], *_], *_]:
                        return utf7_decode(prefix.decode("ascii", "replace"))
        return ""

    async def list_folders(self) -> list[Folder]:
        extended = {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities
        async with self._exclusive_use() as p:
            done = await p.command(
                "LIST",
                '""',
                '"*"',
                *(["RETURN (SPECIAL-USE)"] if extended else []),
                want=(b"LIST",),
            )
            folders = []
            for reply in done.replies:
                _, attributes, delimiter, raw, *_ = parse(reply)
                wire = (raw or b"NIL").decode("utf-8", "replace")
                folders.append(
                    Folder(
                        utf7_decode(wire),
                        wire,
                        frozenset(clean(a).lower() for a in attributes),
                        delimiter.decode("ascii", "replace") if delimiter else None,
                    )
                )
            return folders
