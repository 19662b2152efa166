"""Version 2: inboxes and agents set up by chat, and the audit."""

TABLES = """
CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    settings TEXT NOT NULL,
    secrets TEXT NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL
);

CREATE TABLE agent (
    inbox TEXT NOT NULL,
    mxid TEXT NOT NULL,
    lead BOOLEAN NOT NULL,
    PRIMARY KEY (inbox, mxid)
);

CREATE TABLE audit (
    id {serial},
    at DOUBLE PRECISION NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL
);
"""
