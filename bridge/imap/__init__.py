"""An IMAP client: aioimaplib's commands, with its receiving side replaced."""
