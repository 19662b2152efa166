"""Posts: what Matrix shall hold, and the files that are on their way there."""

from __future__ import annotations

import json
from typing import Any

from bridge.model import Attachment, Content, EventId, File, Kind, Mxid, Post
from bridge.store.connection import Connection
from bridge.store.jobs import Jobs


class Posts:
    def __init__(self, conn: Connection, jobs: Jobs) -> None:
        self._conn = conn
        self._jobs = jobs

    async def put(
        self,
        key: str,
        place: str,
        sender: str,
        kind: Kind,
        content: Content,
        *,
        lane: str = "",
        type: str = "m.room.message",
        state_key: str = "",
        target: str = "",
        already_there: bool = False,
        held: bool = False,
    ) -> None:
        """Want `content` in Matrix under `key`; the same content twice is one post.

        A changed content edits the message, replaces the reaction or sets the state anew.
        `already_there`: the room was made with it. `held`: no job yet, a later put brings one.
        """
        lane = lane or f"{place}:out"
        row = await self._conn.fetchrow(
            "INSERT INTO post (key, lane, place, sender, kind, type, state_key, content, version,"
            " sent, target) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10)"
            " ON CONFLICT (key) DO UPDATE SET content = $8, version = post.version + 1,"
            " target = $10 WHERE post.content <> $8 OR post.target <> $10 RETURNING id",
            key,
            lane,
            place,
            sender,
            kind,
            type,
            state_key,
            json.dumps(content, sort_keys=True),
            int(already_there),
            target,
        )
        if row is not None and not already_there and not held:
            await self.order(row["id"], lane)

    async def order(self, post: int, lane: str) -> None:
        """Have the post brought into its room."""
        await self._jobs.add("post", lane, {"post": post}, key=f"post:{post}")

    async def get(self, post: int) -> Post | None:
        row = await self._conn.fetchrow("SELECT * FROM post WHERE id = $1", post)
        return None if row is None else post_of(row)

    async def by_key(self, key: str) -> Post | None:
        row = await self._conn.fetchrow("SELECT * FROM post WHERE key = $1", key)
        return None if row is None else post_of(row)

    async def by_event(self, event: EventId) -> Post | None:
        row = await self._conn.fetchrow("SELECT * FROM post WHERE event = $1", event)
        return None if row is None else post_of(row)

    async def of_mail(self, mail: int) -> list[Post]:
        """A mail's text and its files."""
        rows = await self._conn.fetch(
            "SELECT * FROM post WHERE key = $1 OR key LIKE $2 OR key LIKE $3 ORDER BY id",
            f"mail:{mail}",
            f"mail:{mail}:%",
            f"file:{mail}:%",
        )
        return [post_of(row) for row in rows]

    async def sent(self, post: Post, version: int, event: EventId | None) -> None:
        """Note that `version` is in the room; one that was put meanwhile gets its job."""
        current = await self._conn.fetchval(
            "UPDATE post SET sent = $1, event = $2 WHERE id = $3 RETURNING version",
            version,
            event,
            post.id,
        )
        if current > version:
            await self.order(post.id, post.lane)

    async def entered(self, place: str) -> list[Mxid]:
        """The ghosts that were brought into a room."""
        rows = await self._conn.fetch(
            "SELECT state_key FROM post WHERE place = $1 AND kind = 'enter' ORDER BY id", place
        )
        return [Mxid(row["state_key"]) for row in rows]

    async def rename(self, key: str, new: str) -> None:
        """Call a post otherwise; what is put under `key` from now on is another one."""
        await self._conn.execute("UPDATE post SET key = $2 WHERE key = $1", key, new)

    async def add_file(self, key: str, raw: int, file: Attachment) -> None:
        """Have a part of a raw mail uploaded for the post `key`."""
        await self._conn.execute(
            "INSERT INTO file (key, raw, part, name, type, size) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (key) DO NOTHING",
            key,
            raw,
            file.part,
            file.name,
            file.type,
            file.size,
        )
        await self._jobs.add("upload", f"upload:{key}", {"key": key}, key=f"upload:{key}")

    async def file(self, key: str) -> File | None:
        row = await self._conn.fetchrow("SELECT * FROM file WHERE key = $1", key)
        if row is None:
            return None
        attachment = Attachment(row["part"], row["name"], row["type"], row["size"])
        return File(row["raw"], attachment, row["mxc"], bool(row["done"]))

    async def set_mxc(self, key: str, mxc: str, *, done: bool) -> None:
        await self._conn.execute(
            "UPDATE file SET mxc = $1, done = $2 WHERE key = $3", mxc, done, key
        )


def post_of(row: Any) -> Post:
    """A row of the table."""
    return Post(
        id=row["id"],
        key=row["key"],
        lane=row["lane"],
        place=row["place"],
        sender=row["sender"],
        kind=Kind(row["kind"]),
        type=row["type"],
        state_key=row["state_key"],
        content=json.loads(row["content"]),
        version=row["version"],
        sent=row["sent"],
        event=None if row["event"] is None else EventId(row["event"]),
        target=row["target"],
    )
