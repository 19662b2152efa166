"""Mails: raw bytes, accepted mails (intake), filed mails in and out, and their Message-IDs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from bridge.model import (
    Address,
    InboxId,
    Letter,
    MailId,
    MessageId,
    Number,
    SenderKind,
    Verdict,
    key_of,
)
from bridge.store.mail_ids import MailIds


class Mails(MailIds):
    async def keep_raw(self, raw: bytes, digest: str = "") -> int:
        """Store the bytes of a mail, the same bytes only once. Returns the row's id. `digest`:
        their SHA-256 in hex, where it is known already."""
        digest = digest or hashlib.sha256(raw).hexdigest()
        return int(
            await self._conn.fetchval(
                "INSERT INTO raw (sha256, bytes) VALUES ($1, $2)"
                # known, and perhaps erased since
                " ON CONFLICT (sha256) DO UPDATE SET bytes = excluded.bytes RETURNING id",
                digest,
                raw,
            )
        )

    async def raw(self, raw: int) -> bytes:
        return bytes(await self._conn.fetchval("SELECT bytes FROM raw WHERE id = $1", raw))

    async def accept(
        self, inbox: InboxId, source_key: str, raw: int, note: str, now: float
    ) -> int | None:
        """Store that a mail arrived. Returns the intake's id, None when the key is known.

        `note`: what is to be known of it besides, see desk.inbound.accept.
        """
        value = await self._conn.fetchval(
            "INSERT INTO intake (inbox, source_key, raw, note, at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (inbox, source_key) DO NOTHING RETURNING id",
            inbox,
            source_key,
            raw,
            note,
            now,
        )
        return None if value is None else int(value)

    async def intake(self, intake: int) -> tuple[InboxId, int, str, float]:
        """(inbox, raw id, note, time of arrival in epoch seconds) of an accepted mail."""
        (row,) = await self._conn.fetch("SELECT * FROM intake WHERE id = $1", intake)
        return InboxId(row["inbox"]), row["raw"], row["note"], row["at"]

    async def brought(self, inbox: InboxId, source_key: str) -> str | None:
        """SHA-256 of the bytes that came under a source key, in hex; None where nothing did."""
        value = await self._conn.fetchval(
            "SELECT sha256 FROM intake JOIN raw ON raw.id = raw"
            " WHERE inbox = $1 AND source_key = $2",
            inbox,
            source_key,
        )
        return None if value is None else str(value)

    async def note(self, inbox: InboxId, raw: int) -> str:
        """The note of the mail with these bytes, of its last arrival; see `accept`."""
        return str(
            await self._conn.fetchval(
                "SELECT note FROM intake WHERE inbox = $1 AND raw = $2 ORDER BY id DESC LIMIT 1",
                inbox,
                raw,
            )
            or ""
        )

    async def is_known(self, inbox: InboxId, message_id: MessageId, body_hash: str) -> bool:
        """Whether this mail was filed already; the same Message-ID with another body is new."""
        return (
            await self._conn.fetchval(
                "SELECT id FROM mail WHERE inbox = $1 AND message_id = $2 AND body_hash = $3",
                inbox,
                message_id,
                body_hash,
            )
        ) is not None

    async def save(self, letter: Letter, body_hash: str, known_as: Sequence[MessageId]) -> MailId:
        """Add a mail (the database gives its `id`) and the Message-IDs it is known by."""
        headers = {
            "sender_name": letter.sender.name,
            "to": _pairs(letter.to),
            "cc": _pairs(letter.cc),
            "reply_to": _pairs(letter.reply_to),
            "subject": letter.subject,
            "references": list(letter.references),
            "new": list(letter.new_addresses),
        }
        if letter.forwarded is not None:
            headers["forwarded"] = _pairs([letter.forwarded])
            headers["forwarded_subject"] = letter.forwarded_subject
        mail = await self._conn.fetchval(
            "INSERT INTO mail (inbox, number, outbound, message_id, body_hash, sender, headers,"
            " nature, verdict, at, raw, sender_key, forwarded_key)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
            " ON CONFLICT (inbox, message_id, body_hash) DO UPDATE SET at = mail.at RETURNING id",
            letter.inbox,
            letter.conversation,
            letter.outbound,
            letter.message_id,
            body_hash,
            letter.sender.spec,
            json.dumps(headers),
            letter.sender_kind,
            letter.sender_verdict,
            letter.at,
            letter.raw,
            letter.sender.key,
            letter.forwarded.key if letter.forwarded is not None else "",
        )
        for message_id in dict.fromkeys((letter.message_id, *known_as)):
            await self.add_known_id(letter.inbox, message_id, letter.conversation)
        return MailId(int(mail))

    async def letter(self, mail: MailId) -> Letter | None:
        row = await self._conn.fetchrow("SELECT * FROM mail WHERE id = $1", mail)
        return None if row is None else letter_of(row)

    async def set_author(self, mail: MailId, author: Address) -> None:
        """Store the author of a forwarded mail, as an agent stated it."""
        headers = json.loads(
            await self._conn.fetchval("SELECT headers FROM mail WHERE id = $1", mail)
        )
        headers["author"] = _pairs([author])
        await self._conn.execute(
            "UPDATE mail SET headers = $1 WHERE id = $2", json.dumps(headers), mail
        )

    async def of_conversation(self, number: Number) -> list[Letter]:
        """Every mail of a conversation, oldest first."""
        rows = await self._conn.fetch("SELECT * FROM mail WHERE number = $1 ORDER BY id", number)
        return [letter_of(row) for row in rows]

    async def latest(self, number: Number) -> Letter | None:
        """The newest incoming mail of a conversation that a person wrote."""
        row = await self._conn.fetchrow(
            "SELECT * FROM mail WHERE number = $1 AND NOT outbound AND nature = 'person'"
            " ORDER BY id DESC LIMIT 1",
            number,
        )
        return None if row is None else letter_of(row)

    async def newest(self, number: Number) -> Letter | None:
        """The newest incoming mail of a conversation, also from machines."""
        row = await self._conn.fetchrow(
            "SELECT * FROM mail WHERE number = $1 AND NOT outbound ORDER BY id DESC LIMIT 1", number
        )
        return None if row is None else letter_of(row)

    async def last(self, inbox: InboxId, count: int) -> list[Letter]:
        """The newest incoming mails of an inbox, newest first."""
        rows = await self._conn.fetch(
            "SELECT * FROM mail WHERE inbox = $1 AND NOT outbound ORDER BY id DESC LIMIT $2",
            inbox,
            count,
        )
        return [letter_of(row) for row in rows]

    async def copies(self, inbox: InboxId, message_id: MessageId, body_hash: str) -> list[Letter]:
        """The copies of an incoming mail in other inboxes."""
        rows = await self._conn.fetch(
            "SELECT * FROM mail WHERE message_id = $1 AND body_hash = $2 AND inbox <> $3"
            " AND NOT outbound ORDER BY id",
            message_id,
            body_hash,
            inbox,
        )
        return [letter_of(row) for row in rows]

    async def received(self, inbox: InboxId, message_id: MessageId) -> list[Letter]:
        """The incoming mails of an inbox with a Message-ID; several paths bring several."""
        rows = await self._conn.fetch(
            "SELECT * FROM mail WHERE message_id = $1 AND inbox = $2 AND NOT outbound ORDER BY id",
            message_id,
            inbox,
        )
        return [letter_of(row) for row in rows]

    async def relocate(self, mails: Sequence[Letter], to: Number) -> None:
        """Move mails and their Message-IDs to another conversation; their missing parents will
        join that one, too."""
        for letter in mails:
            await self._conn.execute("UPDATE mail SET number = $1 WHERE id = $2", to, letter.id)
            ids = ["known_id", letter.message_id]
            for table, message_id in (ids, *(("awaited", ref) for ref in letter.references)):
                gone = await self._conn.fetch(
                    f"DELETE FROM {table} WHERE message_id = $1 AND number = $2 RETURNING inbox",
                    message_id,
                    letter.conversation,
                )
                for row in gone:
                    await self._conn.execute(
                        f"INSERT INTO {table} (inbox, message_id, number) VALUES ($1, $2, $3)"
                        " ON CONFLICT (inbox, message_id, number) DO NOTHING",
                        row["inbox"],
                        message_id,
                        to,
                    )

    async def addresses(self, number: Number) -> frozenset[str]:
        """The addresses a conversation knows, case-folded. One named only by an unproven mail stays
        new until we write to it: otherwise a second forged mail would confirm the first."""
        rows = await self._conn.fetch(
            "SELECT sender, headers, verdict FROM mail WHERE number = $1", number
        )
        found: set[str] = set()
        for row in rows:
            headers = json.loads(row["headers"])
            named = {key_of(spec) for _, spec in (*headers["to"], *headers["cc"])}
            unproven = set() if row["verdict"] == Verdict.PASS else set(headers["new"])
            found |= (named - unproven) | {key_of(row["sender"])}
        return frozenset(found)


def _pairs(addresses: Sequence[Address]) -> list[tuple[str, str]]:
    return [(address.name, address.spec) for address in addresses]


def _addresses(pairs: Sequence[Sequence[str]]) -> tuple[Address, ...]:
    return tuple(Address(spec, name) for name, spec in pairs)


def letter_of(row: Any) -> Letter:
    """The Letter of a database row."""
    headers = json.loads(row["headers"])
    return Letter(
        id=MailId(row["id"]),
        inbox=InboxId(row["inbox"]),
        conversation=Number(row["number"]),
        outbound=bool(row["outbound"]),
        message_id=MessageId(row["message_id"]),
        sender=Address(row["sender"], headers["sender_name"]),
        to=_addresses(headers["to"]),
        cc=_addresses(headers["cc"]),
        reply_to=_addresses(headers["reply_to"]),
        subject=headers["subject"],
        references=tuple(MessageId(ref) for ref in headers["references"]),
        sender_kind=SenderKind(row["nature"]),
        sender_verdict=Verdict(row["verdict"]),
        new_addresses=tuple(headers["new"]),
        at=row["at"],
        raw=row["raw"],
        forwarded=next(iter(_addresses(headers.get("forwarded", ()))), None),
        forwarded_subject=headers.get("forwarded_subject", ""),
        author=next(iter(_addresses(headers.get("author", ()))), None),
    )
