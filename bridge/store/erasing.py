"""Deletes old raw mails, whole conversations, and all data of one address."""

from __future__ import annotations

import json
from typing import Any

from bridge.mail.author import NOBODY
from bridge.model import (
    FINISHED_CONVERSATIONS,
    Event,
    Letter,
    Mxid,
    Number,
    Place,
    Post,
    PostKey,
    RoomId,
    Shows,
    forms_of,
    key_of,
)
from bridge.model.erased import Erased, erased
from bridge.store.connection import Connection
from bridge.store.events import event_of
from bridge.store.mails import letter_of
from bridge.store.posts import post_of
from bridge.store.rooms import Rooms
from bridge.store.words import contains, listed

GONE = "erased"
BATCH = 200
NO_HEADERS = json.dumps(
    {"sender_name": "", "to": [], "cc": [], "reply_to": [], "subject": "", "references": [],
     "new": []}
)  # fmt: skip
OUTSIDE, NAMING = (
    listed(shows for shows in Shows if erased(shows) is what)
    for what in (Erased.OUTSIDE, Erased.WHERE_IT_NAMES)
)
BYTES_OF = (
    "SELECT raw FROM mail WHERE number = $1 AND raw IS NOT NULL AND NOT EXISTS ("
    "SELECT 1 FROM mail AS other WHERE other.raw = mail.raw AND other.number <> $1)"
)
"""SQL: raw mails only this conversation uses. A mail to two inboxes is stored once, and its bytes
are deleted with the last conversation."""
PENDING = (
    "SELECT 1 FROM job JOIN intake ON job.key = 'receive:' || intake.id WHERE intake.raw = raw.id"
)
"""SQL: the receive job of a raw mail, if it is still to be filed."""


class Erasing:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def empty_old_raw(self, before: float) -> int:
        """Empty one batch of raw mails, in and out, older than `before`, except those that a job
        still needs. Returns how many."""
        rows = await self._conn.fetch(
            "UPDATE raw SET bytes = $1 WHERE id IN ("
            " SELECT raw.id FROM raw WHERE LENGTH(raw.bytes) > 0"
            " AND NOT EXISTS (SELECT 1 FROM intake WHERE intake.raw = raw.id AND at >= $2)"
            " AND NOT EXISTS (SELECT 1 FROM mail WHERE mail.raw = raw.id AND at >= $2)"
            " AND NOT EXISTS (SELECT 1 FROM file WHERE file.raw = raw.id AND NOT done)"
            f" AND NOT EXISTS ({PENDING})"
            f" LIMIT {BATCH}) RETURNING id",
            b"",
            before,
        )
        await self._conn.execute(
            "UPDATE delivery SET mime = NULL WHERE mime IS NOT NULL AND finished_at < $1"
            " AND state IN ('sent', 'cancelled')",
            before,
        )
        return len(rows)

    async def closed_before(self, before: float) -> list[Number]:
        """One batch of conversations that were closed before a time and are not erased yet."""
        rows = await self._conn.fetch(
            f"SELECT number FROM conversation WHERE state IN ({listed(FINISHED_CONVERSATIONS)})"
            " AND closed_at < $1"
            " AND contact <> ''"
            " AND NOT EXISTS (SELECT 1 FROM job WHERE key = 'purge:' || number)"
            f" ORDER BY number LIMIT {BATCH}",
            before,
        )
        return [Number(row["number"]) for row in rows]

    async def of_address(self, spec: str) -> list[Number]:
        """The conversations of every inbox whose contact has this address, and those that a
        colleague started by forwarding a mail from it."""
        rows = await self._conn.fetch(
            "SELECT number FROM conversation WHERE contact_key = $1 OR EXISTS (SELECT 1 FROM mail"
            " WHERE mail.number = conversation.number AND forwarded_key = $1"
            " AND contact_key IN (sender_key, $2)) ORDER BY number",
            key_of(spec),
            NOBODY,
        )
        # a merged conversation has no mails, but its card may still show the forwarded mail
        empty = await self._conn.fetch(
            "SELECT number, preview FROM conversation WHERE merged IS NOT NULL AND preview <> ''"
        )
        named = [f"<{form}>" for form in forms_of(spec)]
        rows += [row for row in empty if any(name in row["preview"].casefold() for name in named)]
        return sorted({Number(row["number"]) for row in rows})

    async def letters_from(self, spec: str) -> list[Letter]:
        """The mails from this address in conversations of other contacts, forwarded ones too."""
        rows = await self._conn.fetch(
            "SELECT mail.* FROM mail JOIN conversation ON conversation.number = mail.number"
            " WHERE (sender_key = $1 OR forwarded_key = $1) AND contact_key <> $1"
            " AND NOT outbound ORDER BY mail.id",
            key_of(spec),
        )
        return [letter_of(row) for row in rows]

    async def forget_mail(self, mail: int) -> None:
        """Delete one mail: its bytes, files, posts, jobs and row."""
        raw = await self._conn.fetchval("SELECT raw FROM mail WHERE id = $1", mail)
        posts = "SELECT id FROM post WHERE mail_id = $1 AND shows IN ('mail', 'file', 'forwarded')"
        for kind in ("upload", "post"):
            await self._drop_jobs(f"key IN (SELECT '{kind}:' || id FROM ({posts}) AS gone)", mail)
        await self._drop_hooks(mail)
        await self._conn.execute(f"DELETE FROM post WHERE id IN ({posts})", mail)
        await self._conn.execute(
            "DELETE FROM known_id WHERE message_id = (SELECT message_id FROM mail WHERE id = $1)"
            " AND number = (SELECT number FROM mail WHERE id = $1)",
            mail,
        )
        await self._conn.execute("DELETE FROM passage WHERE mail = $1", mail)
        await self._conn.execute("DELETE FROM mail WHERE id = $1", mail)
        if raw is not None:
            await self.empty_if_unused(raw)

    async def empty_if_unused(self, raw: int) -> None:
        """Empty the bytes of a raw mail that no conversation uses and no job will file."""
        await self._conn.execute(
            "UPDATE raw SET bytes = $1 WHERE id = $2"
            " AND NOT EXISTS (SELECT 1 FROM mail WHERE mail.raw = raw.id)"
            f" AND NOT EXISTS ({PENDING})",
            b"",
            raw,
        )

    async def mark_erased(self, number: Number) -> None:
        """Mark a conversation as being erased, so that no mail joins it any more."""
        await self._conn.execute(
            "UPDATE conversation SET contact = '', contact_name = '', contact_key = '',"
            " state = 'closed',"
            " waiting_since = NULL WHERE number = $1",
            number,
        )

    async def forget_post(self, post: int) -> None:
        await self._conn.execute("DELETE FROM post WHERE id = $1", post)

    async def visited(self, ghost: Mxid) -> list[Number]:
        """The conversations whose rooms a ghost joined."""
        rows = await self._conn.fetch(
            "SELECT place FROM post WHERE kind = 'enter' AND state_key = $1 ORDER BY id", ghost
        )
        numbers = (Place.read(row["place"]).conversation for row in rows)
        return [number for number in numbers if number is not None]

    async def posts_linking(self, number: Number, room: RoomId) -> list[Post]:
        """The posts in other rooms that are about a conversation or its mails, and all posts that
        link to its room."""
        told = await self._conn.fetch(
            f"SELECT * FROM post WHERE event IS NOT NULL AND place <> $2 AND shows IN ({OUTSIDE})"
            " AND (conversation = $1 OR mail_id IN (SELECT id FROM mail WHERE number = $1))",
            number,
            str(Place.of(number)),
        )
        linking = await self._conn.fetch(
            f"SELECT * FROM post WHERE event IS NOT NULL AND shows IN ({NAMING})"
            f" AND {contains('content').format('$1')}",
            room,
        )
        return [post_of(row) for row in (*told, *linking)]

    async def composed(self, number: Number) -> list[Event]:
        """The `!compose` commands in the queue room that started a conversation."""
        rows = await self._conn.fetch(
            "SELECT event.* FROM event JOIN delivery ON delivery.source = event.id"
            " WHERE delivery.number = $1 AND form = 'compose'",
            number,
        )
        return [event_of(row) for row in rows]

    async def letters_to(self, number: Number, spec: str) -> list[Letter]:
        """The mails that we sent in a conversation to this address only."""
        rows = await self._conn.fetch(
            "SELECT * FROM mail WHERE number = $1 AND outbound ORDER BY id", number
        )
        letters = [letter_of(row) for row in rows]
        return [each for each in letters if {a.key for a in (*each.to, *each.cc)} == {spec}]

    async def posts_naming(self, spec: str) -> list[Post]:
        """The posts that contain an address (case-folded): in the control room, and in lists and
        search results."""
        # JSON escapes other characters: then SQL filters nothing, and the check below decides
        forms = forms_of(spec)
        is_plain = forms[0] == forms[1] and spec.isascii() and not {*'"\\'} & {*spec}
        part = spec if is_plain else ""
        rows = await self._conn.fetch(
            f"SELECT * FROM post WHERE (place = 'control' OR shows IN ({NAMING}, 'notify'))"
            f" AND event IS NOT NULL AND ($1 = '' OR {contains('LOWER(content)').format('$1')})",
            part,
        )
        found = [post_of(row) for row in rows]
        return [post for post in found
                if any(form in str(post.content).casefold() for form in forms)]  # fmt: skip

    async def forget_person(self, number: Number, ghost: Mxid) -> None:
        """Delete the post that let a ghost join a conversation's room."""
        key = PostKey.of_conversation(Shows.ENTER, number, ghost).text
        await self._drop_jobs("key IN (SELECT 'post:' || id FROM post WHERE key = $1)", key)
        await self._conn.execute("DELETE FROM post WHERE key = $1", key)

    async def forget_participant(self, spec: str) -> None:
        for table, column in (
            ("participant", "address"),
            ("blocked", "sender"),
            ("contact_address", "address"),
            ("begun", "sender"),
        ):
            await self._conn.execute(f"DELETE FROM {table} WHERE {column} = $1", key_of(spec))
        await self._conn.execute(
            "DELETE FROM contact WHERE id NOT IN (SELECT contact FROM contact_address)"
        )
        for row in await self._conn.fetch("SELECT DISTINCT spec FROM override"):
            if key_of(row["spec"]) == key_of(spec):
                await self._conn.execute("DELETE FROM override WHERE spec = $1", row["spec"])

    async def forget(self, number: Number, room: RoomId | None, *, ids: bool) -> None:
        """Delete all data of a conversation. Its number stays in use; with `ids`, Message-IDs and
        hashes are kept, so that the same mail arriving again creates no new room."""
        run = self._conn.execute
        await run(f"UPDATE raw SET bytes = $2 WHERE id IN ({BYTES_OF})", number, b"")
        for row in await self._conn.fetch("SELECT id FROM mail WHERE number = $1", number):
            await self._drop_hooks(row["id"])
        # also posts that show its mails in other rooms, so that unsent ones are not sent any more
        posts = (
            "SELECT id FROM post WHERE place = $1 OR conversation = $2"
            " OR (shows IN ('mail', 'file') AND mail_id IN (SELECT id FROM mail WHERE number = $2))"
        )
        place = str(Place.of(number))
        for kind in ("upload", "post"):
            gone = f"key IN (SELECT '{kind}:' || id FROM ({posts}) AS gone)"
            await self._drop_jobs(gone, place, number)
        await run(f"DELETE FROM post WHERE id IN ({posts})", place, number)
        deliveries = "SELECT id FROM delivery WHERE number = $1"
        for kind in ("copy", "deliver"):
            await self._drop_jobs(f"key IN (SELECT '{kind}:' || id FROM delivery"
                                  " WHERE number = $1)", number)  # fmt: skip
        await run(f"DELETE FROM recipient WHERE delivery IN ({deliveries})", number)
        for table in ("delivery", "participant", "override", "pin", "awaited", "passage"):
            await run(f"DELETE FROM {table} WHERE number = $1", number)
        if ids:
            await run(
                "UPDATE mail SET sender = '', sender_key = '', forwarded_key = '', headers = $2"
                " WHERE number = $1",
                number,
                NO_HEADERS,
            )
        else:
            await run("DELETE FROM mail WHERE number = $1", number)
            await run("DELETE FROM known_id WHERE number = $1", number)
        if room is not None:
            await run("UPDATE event SET content = '{}' WHERE room = $1", room)
            await Rooms(self._conn).forget(room)
        await run(
            "UPDATE conversation SET contact = '', contact_name = '', contact_key = '',"
            " subject = $2, preview = '',"
            " files = '', state = 'closed', room = NULL, assignee = NULL, waiting_since = NULL,"
            " claim = NULL, follows = NULL, tags = '' WHERE number = $1",
            number,
            GONE,
        )

    async def _drop_hooks(self, mail: int) -> None:
        """Delete the jobs that tell webhooks about a mail."""
        await self._drop_jobs("kind = 'hook' AND key LIKE $1", f"hook:{mail}:%")

    async def _drop_jobs(self, which: str, *args: Any) -> None:
        """Delete the jobs that match an SQL condition, also running ones, which then lose their
        lease."""
        await self._conn.execute(f"DELETE FROM job WHERE {which}", *args)
