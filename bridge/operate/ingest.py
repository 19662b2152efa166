"""`postroom ingest`: takes one mail on standard input, for a mail server's pipe or getmail.

Says nothing where it works: some programs take any word for a failure. Exit codes are those of
sysexits.h, as Postfix, Exim and getmail read them; they bounce the mail at all but 75.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.config.load import read_file
from bridge.config.settings import Limits
from bridge.ingress import spool
from bridge.model import key_of

OK, NO_MAIL, NO_USER, LATER, CONFIG = 0, 65, 67, 75, 78
"""EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, EX_CONFIG; 64, EX_USAGE, is for a wrong command line."""


@dataclass(frozen=True, slots=True)
class Place:
    """What has to be known of config.yaml. Its secrets are not read: a pipe has no environment."""

    spool: Path
    limit: int
    addresses: Mapping[str, str]
    """Inbox by address in the form in which addresses are compared."""
    takes_others: bool


def ingest(config: Path, inbox: str, sender: str) -> int:
    """Read a mail from standard input and put it into the spool. Returns the exit code."""
    if not config.exists():
        return _failed(CONFIG, f"{config}: no such file; name it with -c")
    try:
        place = _place(config, read_file(config))
        raw = sys.stdin.buffer.read(place.limit + 1)
        if not raw.strip():
            return _failed(NO_MAIL, "there is no mail on standard input")
        if len(raw) > place.limit:
            return _failed(NO_MAIL, f"the mail is over limits.mail_size, {place.limit} bytes")
        address = next((spec for spec, id_ in place.addresses.items() if id_ == inbox), inbox)
        known = spool.is_known(place.spool, place.addresses, address)
        if known is False and not place.takes_others:
            return _failed(NO_USER, f"no inbox has the address {address}")
        if known is None:
            why = f"the bridge has never run, and config.yaml has no inbox {address}"
            return _failed(LATER, why)
        spool.put(place.spool, [address], sender, raw)
    except Exception as error:  # noqa: BLE001 - whatever it is, the mail must not be bounced
        return _failed(LATER, f"{type(error).__name__}: {error}")
    return OK


def _place(config: Path, data: Any) -> Place:
    """Raises KeyError, TypeError or ValueError for what is not as it should be."""
    found: dict[str, str] = {}
    for id_, inbox in dict(data.get("inboxes") or {}).items():
        for spec in (inbox["address"], *(inbox.get("aliases") or ())):
            found[key_of(str(spec))] = str(id_)
    limit = int((data.get("limits") or {}).get("mail_size", Limits().mail_size))
    folder = config.parent / str(data.get("spool", "spool"))
    return Place(folder, limit, found, bool((data.get("ingress") or {}).get("others_to")))


def _failed(code: int, text: str) -> int:
    print(f"postroom: {text}", file=sys.stderr)
    return code
