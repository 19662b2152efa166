"""Version 5: drafts, approvals, forwarded mails and new ones; what an agent has read."""

TABLES = """
ALTER TABLE delivery ADD COLUMN form TEXT NOT NULL DEFAULT 'reply';
ALTER TABLE delivery ADD COLUMN text TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN letters TEXT NOT NULL DEFAULT '[]';
ALTER TABLE delivery ADD COLUMN shown TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN approved_by TEXT;
ALTER TABLE conversation ADD COLUMN merged BIGINT;
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
