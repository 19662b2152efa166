"""Migration steps from the last database versions before 1.0 to the tables of 1.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mautrix.util.async_db import Connection

from bridge.model import key_of, share_of
from bridge.model.admin_task import EmptyLog
from bridge.model.ids import MailId
from bridge.model.job import dumped
from bridge.model.post import PostKey
from bridge.model.task import CallHook, ReadEventAgain, ReceiveMail, Task, UploadFile

SHARES = """
ALTER TABLE job ADD COLUMN share TEXT NOT NULL DEFAULT 'mail';
ALTER TABLE job ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
DROP INDEX job_due;
CREATE INDEX job_due ON job (share, run_after, id) WHERE dead_at IS NULL;
CREATE INDEX job_suspect ON job (id) WHERE deaths > 0;
CREATE TABLE begun (
    inbox TEXT NOT NULL,
    sender TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL
);
CREATE INDEX begun_at ON begun (inbox, at);
ALTER TABLE mail ADD COLUMN forwarded_key TEXT NOT NULL DEFAULT '';
CREATE INDEX mail_forwarded ON mail (forwarded_key) WHERE forwarded_key <> '';
CREATE INDEX delivery_message_id ON delivery (message_id);
"""
"""From version 5: shares of the worker's slots, and the table of recently started conversations."""
HELD_MAILS = """
DROP TABLE fetch_failure;
CREATE TABLE held_mail (
    account TEXT NOT NULL,
    folder TEXT NOT NULL,
    validity BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    tried_at DOUBLE PRECISION NOT NULL,
    reason TEXT NOT NULL,
    is_reported BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (account, folder, validity, uid)
);
"""
"""From version 8: mails that a server does not give are held, in place of counted failures."""
RELAYS = """
CREATE TABLE sending_problem (
    account TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    said TEXT NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    tries INTEGER NOT NULL,
    next_at DOUBLE PRECISION NOT NULL,
    is_told BOOLEAN NOT NULL DEFAULT FALSE
);
ALTER TABLE delivery ADD COLUMN relay_id TEXT NOT NULL DEFAULT '';
CREATE INDEX delivery_relay_id ON delivery (relay_id) WHERE relay_id <> '';
ALTER TABLE recipient ADD COLUMN key TEXT NOT NULL DEFAULT '';
DROP INDEX recipient_spec;
CREATE INDEX recipient_key ON recipient (key);
"""
"""From version 9: accounts through which no mail can be sent, ids that relays give, keys of
recipients."""
GRANTS = """
CREATE TABLE oauth_grant (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    sealed TEXT NOT NULL,
    access_ends DOUBLE PRECISION NOT NULL,
    got_at DOUBLE PRECISION NOT NULL,
    refresh_ends DOUBLE PRECISION NOT NULL,
    scope TEXT NOT NULL,
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    claimed_until DOUBLE PRECISION NOT NULL,
    problem TEXT NOT NULL
);
CREATE INDEX intake_raw ON intake (raw);
"""
"""From version 10: OAuth2 grants; what arrived is found by its bytes."""
DOMAINS = """
CREATE TABLE domain (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    secrets TEXT NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL
);
"""
"""From version 11: domains whose inboxes share settings."""
PLANS = "ALTER TABLE delivery ADD COLUMN planned_for DOUBLE PRECISION NOT NULL DEFAULT 0"
"""From version 12: mails that leave at a time that an agent named."""
KEYS = (
    ("mail", "sender_key", ""), ("mail", "forwarded_key", ""),
    ("conversation", "contact_key", ""), ("begun", "sender", ""),
    ("participant", "address", "number"), ("blocked", "sender", "inbox"),
    ("contact_address", "address", "inbox"),
)  # fmt: skip
"""Columns with keys of addresses: (table, column, the column with which it is unique)."""
POSTS = """
ALTER TABLE keep RENAME TO setting;
ALTER TABLE post ADD COLUMN shows TEXT NOT NULL DEFAULT 'answer';
ALTER TABLE post ADD COLUMN mail_id BIGINT;
ALTER TABLE post ADD COLUMN delivery_id BIGINT;
ALTER TABLE post ADD COLUMN conversation BIGINT;
ALTER TABLE post ADD COLUMN target_key TEXT NOT NULL DEFAULT '';
UPDATE post SET target_key = target, target = '' WHERE target <> '' AND target NOT LIKE '$%';
ALTER TABLE conversation ADD COLUMN department_key TEXT NOT NULL DEFAULT '';
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
"""From version 6: columns for what a post shows and belongs to; files refer to posts by id."""


async def share_out(conn: Connection) -> None:
    """Fill the new column `share` of each job."""
    rows = await conn.fetch("SELECT id, kind, lane FROM job")
    await conn.executemany(
        "UPDATE job SET share = $1 WHERE id = $2",
        [(share_of(row["kind"], row["lane"]), row["id"]) for row in rows],
    )


async def compare_in_one_form(conn: Connection) -> None:
    """Rewrite the keys of addresses, which were only case-folded before."""
    for row in await conn.fetch("SELECT DISTINCT spec FROM recipient"):
        await conn.execute(
            "UPDATE recipient SET key = $1 WHERE spec = $2", key_of(row["spec"]), row["spec"]
        )
    for table, column, owner in KEYS:
        for row in await conn.fetch(f"SELECT DISTINCT {column} AS old FROM {table}"):
            old, new = row["old"], key_of(row["old"])
            if old == new:
                continue
            if owner:  # the other form may be there already
                await conn.execute(
                    f"DELETE FROM {table} WHERE {column} = $1 AND {owner} IN"
                    f" (SELECT {owner} FROM {table} WHERE {column} = $2)",
                    old,
                    new,
                )
            await conn.execute(f"UPDATE {table} SET {column} = $1 WHERE {column} = $2", new, old)


async def tell_apart(conn: Connection) -> None:
    """Fill the new columns of each post, and rewrite the payloads of jobs in the new form."""
    posts = await conn.fetch("SELECT id, key FROM post")
    keys = [(PostKey.read(row["key"]), row["id"]) for row in posts]
    await conn.executemany(
        "UPDATE post SET shows = $1, mail_id = $2, delivery_id = $3, conversation = $4"
        " WHERE id = $5",
        [(key.shows, key.mail, key.delivery, key.conversation, post) for key, post in keys],
    )
    for row in await conn.fetch("SELECT DISTINCT department FROM conversation"):
        await conn.execute(
            "UPDATE conversation SET department_key = $1 WHERE department = $2",
            row["department"].casefold(),
            row["department"],
        )
    by_text = {key.text: post for key, post in keys}
    for row in await conn.fetch("SELECT id, kind, lane, key, payload FROM job"):
        payload = json.loads(row["payload"])
        if row["kind"] == UploadFile.kind and payload["key"] not in by_text:
            await conn.execute("DELETE FROM job WHERE id = $1", row["id"])  # its post was erased
            continue
        task = _task(row["kind"], row["key"] or "", payload, by_text)
        if task is not None:
            lane = task.key if row["lane"] == row["key"] else row["lane"]
            await conn.execute(
                "UPDATE job SET payload = $1, key = $2, lane = $3 WHERE id = $4",
                dumped(task),
                task.key,
                lane,
                row["id"],
            )


def _task(kind: str, key: str, payload: Mapping[str, Any], posts: Mapping[str, int]) -> Task | None:
    """The task of a job whose stored form changed; None for other kinds."""
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
