"""Relays that replace the Message-ID of a mail, such as Amazon SES, and the ids they give."""

from __future__ import annotations

import re
from collections.abc import Collection

from bridge.model import MessageId, key_of

OWN_ID = "X-Postroom-ID"
"""A header of every mail of ours: the Message-ID that we gave it, signed, which a relay may have
replaced."""
SES = re.compile(r"email-smtp(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\.?", re.IGNORECASE)
SES_ID = re.compile(r"250 Ok ([0-9a-zA-Z-]{20,100})")
BRACKETED = re.compile(r"<[^<>@\s]{1,400}@[^<>@\s]{1,255}>")


def replaces_ids(host: str) -> bool:
    """Whether an outgoing server is known to replace Message-IDs."""
    return SES.fullmatch(host) is not None


def given_id(
    host: str, reply: str, own: MessageId, recipients: Collection[str]
) -> MessageId | None:
    """The Message-ID that an outgoing server gave to a mail in place of `own`, by its reply to the
    mail: `250 Ok 0100…` of Amazon SES, `250 2.0.0 OK <…@…>` of others. None where it names none, or
    a recipient; `recipients` are their keys."""
    ses, ident = SES.fullmatch(host), SES_ID.match(reply)
    if ses and ident:
        region = ses[1].lower()
        domain = "email" if region == "us-east-1" else region
        return MessageId(f"<{ident[1]}@{domain}.amazonses.com>")
    named = BRACKETED.search(reply) if reply.startswith("250") else None
    if named is None or named[0] == own or key_of(named[0].strip("<>")) in recipients:
        return None
    return MessageId(named[0])
