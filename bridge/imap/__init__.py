"""An IMAP client: the commands of aioimaplib, with its receiving side replaced."""
