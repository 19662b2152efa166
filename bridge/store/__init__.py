"""SQL: one file a table or a family of them."""
