"""`postroom ingest`: takes one mail on standard input, for a mail server's pipe or getmail.

Says nothing where it works: some programs take any word for a failure. Exit codes are those of
sysexits.h, as Postfix, Exim and getmail read them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bridge.config.load import load
from bridge.config.settings import ConfigError
from bridge.ingress import spool

OK, NO_MAIL, NO_USER, LATER, CONFIG = 0, 65, 67, 75, 78
"""EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, EX_CONFIG; 64, EX_USAGE, is for a wrong command line."""


def ingest(config: Path, inbox: str, sender: str, limit: int | None = None) -> int:
    """Read a mail from standard input and put it into the spool. Returns the exit code."""
    try:
        settings = load(config)
    except ConfigError as error:
        return _failed(CONFIG, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the mail must not be bounced
        return _failed(LATER, f"{type(error).__name__}: {error}")
    try:
        most = settings.limits.mail_size if limit is None else limit
        raw = sys.stdin.buffer.read(most + 1)
        if not raw.strip():
            return _failed(NO_MAIL, "there is no mail on standard input")
        if len(raw) > most:
            return _failed(NO_MAIL, f"the mail is larger than limits.mail_size, {most} bytes")
        ids = {inbox_.id: inbox_.address for inbox_ in settings.inboxes.values()}
        address = next((spec for id_, spec in ids.items() if id_ == inbox), inbox)
        configured = frozenset(key for each in settings.inboxes.values() for key in each.own)
        match spool.is_known(settings.spool, configured, address):
            case False:
                return _failed(NO_USER, f"no inbox has the address {address}")
            case None:
                return _failed(LATER, f"the bridge has never run, and config.yaml has no inbox"
                                      f" {address}")  # fmt: skip
        spool.put(settings.spool, [address], sender, raw)
    except Exception as error:  # noqa: BLE001 - whatever it is, the mail must not be bounced
        return _failed(LATER, f"{type(error).__name__}: {error}")
    return OK


def _failed(code: int, text: str) -> int:
    print(f"postroom: {text}", file=sys.stderr)
    return code
