"""Version 6: shares of the worker's slots, deaths that jobs outlived, what was begun lately."""

from __future__ import annotations

from mautrix.util.async_db import Connection

from bridge.model import share_of

TABLES = """
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


async def share_out(conn: Connection) -> None:
    """Give each job that waits its share."""
    rows = await conn.fetch("SELECT id, kind, lane FROM job")
    await conn.executemany(
        "UPDATE job SET share = $1 WHERE id = $2",
        [(share_of(row["kind"], row["lane"]), row["id"]) for row in rows],
    )
