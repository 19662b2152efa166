"""The mail with which a provider asks whether it may forward mail to an address. Pure."""

from __future__ import annotations

import re

from bridge.model import Mail, Verdict

GMAIL = "forwarding-noreply@google.com"
ZOHO = re.compile(
    r"(?:[a-z0-9-]+\.)*zoho(?:mail)?(?:cloud)?\.(?:com|eu|in|jp|sa|ca|com\.au|com\.cn)"
)
MARKS = (GMAIL.encode(), b"zoho")
"""What stands in the header of each such mail."""
FORWARDS = re.compile(
    r"forward|weiterleit|transfert|reenv|inoltr|doorstur|転送|转发", re.IGNORECASE
)
HEAD = 100_000


def may_be(raw: bytes) -> bool:
    """Whether a mail may be such a question; quick, as every mail that is brought is looked at."""
    head = raw[:HEAD].lower()
    return any(mark in head for mark in MARKS)


def asks(mail: Mail) -> bool:
    """Whether a mail is such a question: its sender is proven to be Gmail or Zoho. Anybody else
    would have an admin follow a link."""
    if mail.sender_verdict is not Verdict.PASS:
        return False
    is_zoho = ZOHO.fullmatch(mail.sender.domain) is not None
    return mail.sender.key == GMAIL or (is_zoho and FORWARDS.search(mail.subject) is not None)
