"""Version 4: agents who are away get no conversations."""

TABLES = """
CREATE TABLE away (mxid TEXT PRIMARY KEY, since DOUBLE PRECISION NOT NULL);
"""
