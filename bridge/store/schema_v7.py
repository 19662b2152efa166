"""Version 7: what a post shows, and what it belongs to, as columns; files of posts by their id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mautrix.util.async_db import Connection

from bridge.model.ids import MailId
from bridge.model.post import PostKey
from bridge.model.task import (
    CallHook,
    EmptyLog,
    ReadEventAgain,
    ReceiveMail,
    Task,
    UploadFile,
    stored,
)

TABLES = """
ALTER TABLE post ADD COLUMN shows TEXT NOT NULL DEFAULT 'answer';
ALTER TABLE post ADD COLUMN mail_id BIGINT;
ALTER TABLE post ADD COLUMN delivery_id BIGINT;
ALTER TABLE post ADD COLUMN conversation BIGINT;
ALTER TABLE post ADD COLUMN target_key TEXT NOT NULL DEFAULT '';
UPDATE post SET target_key = target, target = '' WHERE target <> '' AND target NOT LIKE '$%';
CREATE INDEX post_mail ON post (mail_id) WHERE mail_id IS NOT NULL;
CREATE INDEX post_conversation ON post (conversation) WHERE conversation IS NOT NULL;
CREATE TABLE post_file (
    post BIGINT PRIMARY KEY REFERENCES post (id) ON DELETE CASCADE,
    raw BIGINT NOT NULL REFERENCES raw (id),
    part INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    size BIGINT NOT NULL,
    mxc TEXT NOT NULL DEFAULT '',
    done BOOLEAN NOT NULL DEFAULT FALSE
);
INSERT INTO post_file (post, raw, part, name, type, size, mxc, done)
    SELECT post.id, raw, part, name, file.type, size, mxc, done
    FROM file JOIN post ON post.key = file.key;
DROP TABLE file;
ALTER TABLE post_file RENAME TO file;
"""


async def tell_apart(conn: Connection) -> None:
    """Fill the new columns of each post, and write its jobs as they are written now."""
    posts = await conn.fetch("SELECT id, key FROM post")
    keys = [(PostKey.read(row["key"]), row["id"]) for row in posts]
    await conn.executemany(
        "UPDATE post SET shows = $1, mail_id = $2, delivery_id = $3, conversation = $4"
        " WHERE id = $5",
        [(key.shows, key.mail, key.delivery, key.conversation, post) for key, post in keys],
    )
    by_text = {key.text: post for key, post in keys}
    for row in await conn.fetch("SELECT id, kind, lane, key, payload FROM job"):
        payload = json.loads(row["payload"])
        task = _task(row["kind"], row["key"] or "", payload, by_text)
        if task is not None:
            lane = task.key if row["lane"] == row["key"] else row["lane"]
            await conn.execute(
                "UPDATE job SET payload = $1, key = $2, lane = $3 WHERE id = $4",
                stored(task),
                task.key,
                lane,
                row["id"],
            )


def _task(kind: str, key: str, payload: Mapping[str, Any], posts: Mapping[str, int]) -> Task | None:
    """What a job does that was written otherwise before; None for the others."""
    match kind:
        case UploadFile.kind:
            return UploadFile(posts[payload["key"]])
        case ReceiveMail.kind:
            return ReceiveMail(payload["intake"], was_waiting="was_waiting" in payload)
        case ReadEventAgain.kind:
            return ReadEventAgain(key.removeprefix("parked:"), **payload)
        case EmptyLog.kind:
            return EmptyLog(int(key.removeprefix("scrub:")))
        case CallHook.kind:
            _, mail, rule = payload["id"].split("-")
            what = {name: payload[name] for name in ("url", "event", "at")}
            return CallHook(MailId(int(mail)), int(rule), **what)
    return None
