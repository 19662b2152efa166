"""The database: all SQL, one file for each table or group of tables."""
