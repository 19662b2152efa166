"""Version 4: agents who are away, conversations that sleep, tags and priorities."""

TABLES = """
ALTER TABLE conversation ADD COLUMN snoozed_until DOUBLE PRECISION;
ALTER TABLE conversation ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN renamed BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX conversation_assignee ON conversation (inbox, assignee, state);
CREATE TABLE away (mxid TEXT PRIMARY KEY, since DOUBLE PRECISION NOT NULL);
"""
