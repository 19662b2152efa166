"""Version 4: agents who are away, conversations that sleep."""

TABLES = """
ALTER TABLE conversation ADD COLUMN snoozed_until DOUBLE PRECISION;
CREATE TABLE away (mxid TEXT PRIMARY KEY, since DOUBLE PRECISION NOT NULL);
"""
