"""The mail with which a provider asks whether it may forward mail to an address. Pure."""

from __future__ import annotations

import re

from bridge.model import Mail, Verdict

GMAIL = "forwarding-noreply@google.com"
ZOHO = re.compile(
    r"(?:no-?reply|do-?not-?reply|mail-?admin|forward\w*)@(?:[a-z0-9-]+\.)*zoho"
    r"(?:corp|cloud|mail)?\.(?:com|eu|in|jp|sa|ca|com\.au|com\.cn)"
)
"""Robots of Zoho, as far as their names tell: people have addresses at its domains, too."""
MARKS = (GMAIL.encode(), b"zoho")
"""What stands in the header of each such mail."""
FORWARDS = re.compile(r"forwarding|weiterleitung|réacheminement|reenvío", re.IGNORECASE)
HEAD = 100_000


def may_be(raw: bytes) -> bool:
    """Whether a mail may be such a question; quick, as every mail that is brought is looked at."""
    head = raw[:HEAD].lower()
    return any(mark in head for mark in MARKS)


def asks(mail: Mail) -> bool:
    """Whether a mail is such a question: its sender is proven to be Gmail's robot, or one of Zoho.
    Anybody else would have an admin follow a link."""
    if mail.sender_verdict is not Verdict.PASS:
        return False
    is_zoho = ZOHO.fullmatch(mail.sender.key) is not None
    return is_certain(mail) or (is_zoho and FORWARDS.search(mail.subject) is not None)


def is_certain(mail: Mail) -> bool:
    """Whether it can be nothing else, and is no mail to the team: the address is Gmail's own."""
    return mail.sender_verdict is Verdict.PASS and mail.sender.key == GMAIL
