"""Posts (items that the bridge shows in Matrix rooms), and files that are to be uploaded."""

from __future__ import annotations

import json
from typing import Any

from bridge.model import (
    Attachment,
    EventId,
    File,
    Kind,
    MailId,
    Mxid,
    Place,
    Post,
    PostKey,
    Shows,
    Wanted,
)
from bridge.model.task import BringPost, UploadFile
from bridge.store.connection import Connection
from bridge.store.jobs import Jobs


class Posts:
    def __init__(self, conn: Connection, jobs: Jobs) -> None:
        self._conn = conn
        self._jobs = jobs

    async def put(self, wanted: Wanted) -> None:
        """Request a post; the same content again under the same key changes nothing.

        Changed content edits the message, replaces the reaction or sets the state again.
        """
        key, target = wanted.key, wanted.target
        lane = wanted.lane or f"{wanted.place}:out"
        row = await self._conn.fetchrow(
            "INSERT INTO post (key, lane, place, sender, kind, type, state_key, content, version,"
            " sent, target, target_key, shows, mail_id, delivery_id, conversation)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $13, $14, $15)"
            " ON CONFLICT (key) DO UPDATE SET content = $8, version = post.version + 1,"
            " target = $10, target_key = $11"
            " WHERE post.content <> $8 OR post.target <> $10 OR post.target_key <> $11"
            " RETURNING id",
            key.text,
            lane,
            str(wanted.place),
            wanted.sender,
            wanted.kind,
            wanted.type,
            wanted.state_key,
            json.dumps(wanted.content, sort_keys=True),
            int(wanted.exists_already),
            "" if target is None or isinstance(target, PostKey) else target,
            target.text if isinstance(target, PostKey) else "",
            key.shows,
            key.mail,
            key.delivery,
            key.conversation,
        )
        if row is not None and not wanted.exists_already and not wanted.is_deferred:
            await self.order(row["id"], lane)

    async def order(self, post: int, lane: str) -> None:
        """Add the job that sends a post to its room."""
        await self._jobs.add(BringPost(post), lane)

    async def get(self, post: int) -> Post | None:
        row = await self._conn.fetchrow("SELECT * FROM post WHERE id = $1", post)
        return None if row is None else post_of(row)

    async def by_key(self, key: PostKey) -> Post | None:
        row = await self._conn.fetchrow("SELECT * FROM post WHERE key = $1", key.text)
        return None if row is None else post_of(row)

    async def by_event(self, event: EventId) -> Post | None:
        row = await self._conn.fetchrow("SELECT * FROM post WHERE event = $1", event)
        return None if row is None else post_of(row)

    async def target_of(self, post: Post) -> EventId | None:
        """The event a post relates to: the event of its target post, or any other event."""
        if not post.target_key:
            return post.target
        event = await self._conn.fetchval("SELECT event FROM post WHERE key = $1", post.target_key)
        return None if event is None else EventId(event)

    async def of_mail(self, mail: MailId) -> list[Post]:
        """The posts of a mail's text and files, in every room that shows them."""
        rows = await self._conn.fetch(
            "SELECT * FROM post WHERE mail_id = $1 AND shows IN ('mail', 'file') ORDER BY id", mail
        )
        return [post_of(row) for row in rows]

    async def entry(self, place: Place, ghost: str) -> Post | None:
        """The post that let a ghost join a room."""
        row = await self._conn.fetchrow(
            "SELECT * FROM post WHERE place = $1 AND shows = 'enter' AND state_key = $2",
            str(place),
            ghost,
        )
        return None if row is None else post_of(row)

    async def sent(
        self, post: Post, version: int, event: EventId | None, spoken_by: str = ""
    ) -> None:
        """Store that `version` is in the room; add a job for a version requested meanwhile."""
        current = await self._conn.fetchval(
            "UPDATE post SET sent = $1, event = $2, spoken_by = $4 WHERE id = $3 RETURNING version",
            version,
            event,
            post.id,
            spoken_by,
        )
        if current > version:
            await self.order(post.id, post.lane)

    async def forget_events(self, place: Place) -> list[Post]:
        """Forget the events of a place whose room is lost, its invitations and removals, and drop
        the jobs of its posts. Returns the posts that were shown there or waited to be."""
        waits = "SELECT 1 FROM job WHERE job.key = 'post:' || post.id"
        shown = f"FROM post WHERE place = $1 AND (sent > 0 OR EXISTS ({waits}))"
        rows = await self._conn.fetch(f"SELECT * {shown} ORDER BY id", str(place))
        await self._conn.execute(
            f"DELETE FROM job WHERE key IN (SELECT 'post:' || id {shown})", str(place)
        )
        await self._conn.execute(
            "DELETE FROM post WHERE place = $1 AND kind IN ('invite', 'kick')", str(place)
        )
        await self._conn.execute(
            "UPDATE post SET sent = 0, event = NULL, target = '', spoken_by = '' WHERE place = $1",
            str(place),
        )
        return [post_of(row) for row in rows if row["kind"] not in (Kind.INVITE, Kind.KICK)]

    async def unsent_invitations(self, place: Place) -> list[Post]:
        """The invitations to a place that the homeserver refused."""
        rows = await self._conn.fetch(
            "SELECT * FROM post WHERE place = $1 AND kind = 'invite' AND sent < version"
            " AND NOT EXISTS (SELECT 1 FROM job WHERE job.key = 'post:' || post.id) ORDER BY id",
            str(place),
        )
        return [post_of(row) for row in rows]

    async def unsent_removals(self, *places: Place) -> frozenset[Mxid]:
        """Who is to be removed from one of these places and is not yet."""
        marks = ", ".join(f"${n}" for n in range(1, len(places) + 1))
        rows = await self._conn.fetch(
            f"SELECT state_key FROM post WHERE place IN ({marks}) AND kind = 'kick'"
            " AND sent < version",
            *map(str, places),
        )
        return frozenset(Mxid(row["state_key"]) for row in rows)

    async def withdraw_invitations(self, place: Place, mxid: Mxid) -> bool:
        """Give up the refused invitations of somebody to a place; whether there were any."""
        row = await self._conn.fetchrow(
            "UPDATE post SET sent = version WHERE place = $1 AND state_key = $2"
            " AND kind = 'invite' AND sent < version RETURNING id",
            str(place),
            mxid,
        )
        return row is not None

    async def entered(self, place: Place) -> list[Mxid]:
        """The ghosts that joined a room by a post."""
        rows = await self._conn.fetch(
            "SELECT state_key FROM post WHERE place = $1 AND kind = 'enter' ORDER BY id", str(place)
        )
        return [Mxid(row["state_key"]) for row in rows]

    async def rename(self, key: PostKey, new: PostKey) -> None:
        """Give a post another key, so that the next one put under `key` is a new post."""
        await self._conn.execute("UPDATE post SET key = $2 WHERE key = $1", key.text, new.text)

    async def add_file(self, key: PostKey, raw: int, file: Attachment) -> None:
        """Add the job that uploads a part of a raw mail for a post."""
        post = await self._conn.fetchval("SELECT id FROM post WHERE key = $1", key.text)
        await self._conn.execute(
            "INSERT INTO file (post, raw, part, name, type, size) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (post) DO NOTHING",
            post,
            raw,
            file.part,
            file.name,
            file.type,
            file.size,
        )
        await self._jobs.add(UploadFile(post))

    async def file(self, post: int) -> File | None:
        row = await self._conn.fetchrow("SELECT * FROM file WHERE post = $1", post)
        if row is None:
            return None
        attachment = Attachment(row["part"], row["name"], row["type"], row["size"])
        return File(row["raw"], attachment, row["mxc"], bool(row["done"]))

    async def files_in_turn(self, mail: MailId, place: Place) -> list[tuple[int, str]]:
        """(id, lane) of the posts of a mail's uploaded files that are to be sent now: in the mail's
        order, up to the first that is neither uploaded nor has a placeholder."""
        of_mail = "FROM post JOIN file ON file.post = post.id WHERE mail_id = $1 AND place = $2"
        waits = "SELECT 1 FROM job WHERE job.key = 'post:' || post.id"
        rows = await self._conn.fetch(
            f"SELECT post.id, post.lane {of_mail} AND done AND sent < version AND post.id <"
            f" COALESCE((SELECT MIN(post.id) {of_mail} AND NOT done AND sent = 0"
            f" AND NOT EXISTS ({waits})), post.id + 1) ORDER BY post.id",
            mail,
            str(place),
        )
        return [(row["id"], row["lane"]) for row in rows]

    async def set_mxc(self, post: int, mxc: str, *, done: bool) -> None:
        await self._conn.execute(
            "UPDATE file SET mxc = $1, done = $2 WHERE post = $3", mxc, done, post
        )


def post_of(row: Any) -> Post:
    """The Post of a database row."""
    return Post(
        id=row["id"],
        key=PostKey(
            Shows(row["shows"]), row["key"], row["mail_id"], row["delivery_id"], row["conversation"]
        ),
        lane=row["lane"],
        place=Place.read(row["place"]),
        sender=row["sender"],
        kind=Kind(row["kind"]),
        type=row["type"],
        state_key=row["state_key"],
        content=json.loads(row["content"]),
        version=row["version"],
        sent=row["sent"],
        event=None if row["event"] is None else EventId(row["event"]),
        target=EventId(row["target"]) if row["target"] else None,
        target_key=row["target_key"],
        spoken_by=row["spoken_by"],
    )
