"""Version 3: a mail that bounced may be sent again."""

TABLES = """
DROP INDEX delivery_live;
CREATE UNIQUE INDEX delivery_live ON delivery (source)
    WHERE state NOT IN ('failed', 'cancelled', 'bounced');
CREATE INDEX recipient_spec ON recipient (LOWER(spec));
"""
