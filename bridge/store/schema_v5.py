"""Version 5: drafts, approvals, contacts, standard responses, what agents have read, a search."""

from __future__ import annotations

from mautrix.util.async_db import Connection, Scheme

TABLES = """
ALTER TABLE delivery ADD COLUMN form TEXT NOT NULL DEFAULT 'reply';
ALTER TABLE delivery ADD COLUMN text TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN letters TEXT NOT NULL DEFAULT '[]';
ALTER TABLE delivery ADD COLUMN shown TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN approved_by TEXT;
ALTER TABLE delivery ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN wording INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN shown_at DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN merged BIGINT;
ALTER TABLE conversation ADD COLUMN vacated BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE conversation ADD COLUMN reminded_at DOUBLE PRECISION NOT NULL DEFAULT 0;
CREATE TABLE passage (
    id {serial},
    number BIGINT NOT NULL REFERENCES conversation (number),
    mail BIGINT,
    event TEXT,
    who TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    text TEXT NOT NULL,
    folded TEXT NOT NULL
);
CREATE INDEX passage_number ON passage (number);
CREATE INDEX passage_mail ON passage (mail);
CREATE INDEX passage_event ON passage (event);
CREATE TABLE contact (
    id {serial},
    inbox TEXT NOT NULL,
    name TEXT NOT NULL,
    notes TEXT NOT NULL
);
CREATE TABLE contact_address (
    inbox TEXT NOT NULL,
    address TEXT NOT NULL,
    spec TEXT NOT NULL,
    contact BIGINT NOT NULL REFERENCES contact (id),
    PRIMARY KEY (inbox, address)
);
ALTER TABLE conversation ADD COLUMN department TEXT NOT NULL DEFAULT '';
CREATE INDEX delivery_form ON delivery (inbox, form, created_at);
CREATE TABLE rule (id {serial}, inbox TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE snippet (
    inbox TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (inbox, name)
);
CREATE TABLE seen (
    room TEXT NOT NULL,
    mxid TEXT NOT NULL,
    event TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (room, mxid)
);
"""
SQLITE_WORDS = (
    "CREATE VIRTUAL TABLE passage_words USING fts5 (folded, content='passage', content_rowid='id')",
    "CREATE TRIGGER passage_new AFTER INSERT ON passage BEGIN"
    " INSERT INTO passage_words (rowid, folded) VALUES (new.id, new.folded); END",
    "CREATE TRIGGER passage_gone AFTER DELETE ON passage BEGIN"
    " INSERT INTO passage_words (passage_words, rowid, folded)"
    " VALUES ('delete', old.id, old.folded); END",
)
POSTGRES_WORDS = (
    # kept, and not made anew for each row that a search looks at
    "ALTER TABLE passage ADD COLUMN words TSVECTOR"
    " GENERATED ALWAYS AS (to_tsvector('simple', folded)) STORED",
    "CREATE INDEX passage_words ON passage USING GIN (words)",
)


async def index_words(conn: Connection, scheme: Scheme) -> None:
    """The index of the words of `passage`, as each engine has it."""
    for statement in SQLITE_WORDS if scheme == Scheme.SQLITE else POSTGRES_WORDS:
        await conn.execute(statement)
