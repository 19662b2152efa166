"""Who wrote a mail whose From a group or a forwarder has rewritten (T01)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.mail.parse import parse
from bridge.mail.rewritten import unwrapped
from bridge.model import Address, Verdict

GROUP, CARLA = "help@acme.example", "carla@yahoo.example"
SIGNED = "v=1; a=rsa-sha256; d={domain}; s=s1; h={names}; bh=x; b=x"


def mail(*lines: str, sender: str = f"'Carla' via Help <{GROUP}>") -> bytes:
    head = (f"From: {sender}", "To: support@acme.example", "Subject: Dark", *lines)
    return "\r\n".join((*head, "", "Still dark.")).encode()


def signature(domain: str = "acme.example", names: str = "from:x-original-from") -> str:
    return f"DKIM-Signature: {SIGNED.format(domain=domain, names=names)}"


FROM = f"X-Original-From: Carla Doe <{CARLA}>"
SENDER = f"X-Original-Sender: {CARLA}"


@pytest.mark.parametrize(("lines", "is_believed"), [
    ((FROM, signature()), True), ((FROM, SENDER, signature()), True),
    ((SENDER, signature(names="from : X-Original-Sender")), True),
    ((FROM, signature(), signature("yahoo.example", "from")), True),
    ((FROM,), False), ((FROM, signature(names="from")), False),
    ((FROM, signature(), signature(names="from")), False),
    ((FROM, signature("evil.example")), False),
    ((FROM, "X-Original-From: dan@evil.example", signature()), False),
    ((FROM, "X-Original-Sender: dan@evil.example", signature()), False),
])  # fmt: skip
def test_T01_the_original_sender_counts_where_the_named_forwarder_has_signed_it(
    lines: tuple[str, ...], is_believed: bool
) -> None:
    read = replace(parse(mail(*lines)), sender_verdict=Verdict.PASS)
    found = unwrapped(read, [GROUP.upper()])
    assert (found.sender.spec == CARLA) is is_believed
    if is_believed:
        assert found.sender_verdict is Verdict.NONE, "nothing proves who wrote to the group"
        assert found.notes == (f"↪ forwarded by {GROUP}",)
    else:
        assert found.sender.spec == GROUP
        assert "which nothing proves" in found.notes[-1]


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.FAIL])
def test_a_forwarder_that_is_not_proven_is_not_believed(verdict: Verdict) -> None:
    read = replace(parse(mail(FROM, signature())), sender_verdict=verdict)
    assert unwrapped(read, [GROUP]).sender.spec == GROUP


def test_who_is_no_forwarder_is_not_believed() -> None:
    read = replace(parse(mail(FROM, signature())), sender_verdict=Verdict.PASS)
    found = unwrapped(read, ["other@acme.example"])
    assert found.sender.spec == GROUP
    assert found.notes == (f"⚠️ said to be from Carla Doe <{CARLA}>, which nothing proves",)


def test_what_says_the_same_as_from_or_reply_to_is_not_told() -> None:
    same = parse(mail(FROM, sender=CARLA))
    assert unwrapped(same, []) == same
    answered = parse(mail(FROM, f"Reply-To: {CARLA}"))
    assert unwrapped(answered, []) == answered
    assert answered.original == Address(CARLA, "Carla Doe")
