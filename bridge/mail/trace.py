"""The path that a mail took, from its trace fields. Pure."""

from __future__ import annotations

import re
from email.parser import BytesHeaderParser
from email.policy import compat32

from bridge.mail import header
from bridge.mail.address import parse_list
from bridge.mail.limits import END_OF_HEADERS

BY = re.compile(r"\bby\s+([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]+)")
HEAD, MOST = 100_000, 6


def path(raw: bytes) -> tuple[str, ...]:
    """The servers that a mail came through, the first that took it first, and who forwarded it
    (`X-Forwarded-For` of Gmail and others); without those that name no host."""
    found = END_OF_HEADERS.search(raw)
    head = raw[: min(found.end() if found else HEAD, HEAD)]
    try:
        message = BytesHeaderParser(policy=compat32).parsebytes(head)
    except Exception:  # noqa: BLE001 - the email package raises almost anything
        return ()
    servers = [
        match[1].lower()
        for value in reversed(header.raw_values(message, "received"))
        if (match := BY.search(value))
    ]
    forwarders = [
        each.spec
        for value in header.raw_values(message, "x-forwarded-for")
        for each in parse_list(value.split()[0] if value.split() else "")
    ]
    return tuple(dict.fromkeys((*servers[-MOST:], *forwarders[:MOST])))
