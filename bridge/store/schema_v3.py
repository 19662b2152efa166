"""Version 3: bounced mails may be sent again; jobs have an age; addresses compare in any script."""

from __future__ import annotations

from mautrix.util.async_db import Connection

TABLES = """
DROP INDEX delivery_live;
CREATE UNIQUE INDEX delivery_live ON delivery (source)
    WHERE state NOT IN ('failed', 'cancelled', 'bounced');
ALTER TABLE job ADD COLUMN created_at DOUBLE PRECISION NOT NULL DEFAULT 0;
UPDATE job SET created_at = run_after;
ALTER TABLE conversation ADD COLUMN contact_key TEXT NOT NULL DEFAULT '';
ALTER TABLE mail ADD COLUMN sender_key TEXT NOT NULL DEFAULT '';
DROP INDEX conversation_contact;
CREATE INDEX conversation_contact ON conversation (inbox, contact_key);
CREATE INDEX mail_sender ON mail (sender_key);
CREATE INDEX recipient_spec ON recipient (LOWER(spec));
"""


async def fold_addresses(conn: Connection) -> None:
    """Fill the new columns here: SQL folds the case of ASCII only."""
    for table, key, spec, folded in (
        ("conversation", "number", "contact", "contact_key"), ("mail", "id", "sender", "sender_key")
    ):  # fmt: skip
        rows = await conn.fetch(f"SELECT {key}, {spec} FROM {table}")
        await conn.executemany(
            f"UPDATE {table} SET {folded} = $1 WHERE {key} = $2",
            [(row[spec].casefold(), row[key]) for row in rows],
        )
