"""Version 4: agents who are away, conversations that sleep, tags, priorities, blocked senders."""

TABLES = """
ALTER TABLE conversation ADD COLUMN snoozed_until DOUBLE PRECISION;
ALTER TABLE conversation ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN renamed BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX conversation_assignee ON conversation (inbox, assignee, state);
CREATE TABLE away (mxid TEXT PRIMARY KEY, since DOUBLE PRECISION NOT NULL);
CREATE TABLE blocked (
    inbox TEXT NOT NULL,
    sender TEXT NOT NULL,
    agent TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (inbox, sender)
);
"""
