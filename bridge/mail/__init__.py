"""Pure reading and writing of email: bytes and values in, values out."""
