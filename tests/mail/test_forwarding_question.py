"""A provider's question whether mail may be forwarded to us is known, and a forged one is not."""

from __future__ import annotations

import pytest

from bridge.mail.forwarding_question import asks, may_be
from bridge.model import Address, Mail, MessageId, Verdict
from tests.stage import mail

PASS, NONE, FAIL = Verdict.PASS, Verdict.NONE, Verdict.FAIL


@pytest.mark.parametrize(("sender", "subject", "verdict", "is_one"), [
    ("forwarding-noreply@google.com", "(#1) Acme Forwarding Confirmation", PASS, True),
    ("Forwarding-NoReply@Google.com", "Weiterleitung", PASS, True),
    ("noreply@zohomail.com", "Mail forwarding verification", PASS, True),
    ("no-reply@mail.zoho.eu", "Confirm forwarding", PASS, True),
    ("carla@zohomail.com", "Looking forward to your answer", PASS, False),
    ("mallory@zohomail.eu", "Forwarding request, please confirm", PASS, False),
    ("noreply@zoho.com", "Your invoice", PASS, False),
    ("noreply@zoho.com.evil.example", "Mail forwarding", PASS, False),
    ("zoho.com@evil.example", "Mail forwarding", PASS, False),
    ("x@evilzoho.com", "Mail forwarding", PASS, False),
    ("forwarding-noreply@google.com", "Confirmation", NONE, False),
    ("noreply@zohomail.com", "Mail forwarding verification", FAIL, False),
    ("noreply@google.com", "Forwarding", PASS, False),
])  # fmt: skip
def test_who_is_proven_to_ask(sender: str, subject: str, verdict: Verdict, is_one: bool) -> None:
    read = Mail(MessageId("<a@b>"), "", Address(sender), subject=subject, sender_verdict=verdict)
    assert asks(read) is is_one


def test_the_quick_look_misses_none() -> None:
    for sender in ("Forwarding-NoReply@google.com", "x@ZOHO.eu"):
        assert may_be(mail(sender=sender))
    assert not may_be(mail())
