"""Rules from YAML, and for which mails they hold."""

from __future__ import annotations

import time

import pytest

from bridge.config import matching
from bridge.config.matching import Facts, applies_to, fits
from bridge.config.rule import Then, When, read
from bridge.desk.inbound.actions import ACTIONS
from bridge.mail.header import values_of
from bridge.model import Address, Attachment, Mail, MessageId, Refused, SenderKind, Verdict

RAW = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Flag: one\r\nX-Flag: Two\r\n\r\nX-Flag: body\r\n"
MAIL = Mail(
    MessageId("<1@x>"), "h", Address("Alice@Billing.Example", "Alice"),
    to=(Address("support@acme.example"),), cc=(Address("boss@acme.example"),),
    recipients=("support+x@acme.example",), subject="Your  Invoice [4711] is due",
    attachments=(Attachment(1, "Invoice.PDF", "application/pdf", 9),), sender_verdict=Verdict.PASS,
)  # fmt: skip


def facts(mail: Mail = MAIL, text: str = "Please pay\nsoon.") -> Facts:
    files = tuple(each.name for each in mail.attachments)
    return Facts(mail, text, 6_000_000, files, lambda name: values_of(RAW, name), str)


def rule(when: str, **more: str) -> str:
    extra = "".join(f"\n{key}: {value}" for key, value in more.items())
    return f"name: r\nwhen: {when}\nthen: {{tag: x}}{extra}"


@pytest.mark.parametrize(
    ("when", "held"),
    [
        ("{}", True),
        ("{from: alice@billing.example}", True), ("{from: bob@billing.example}", False),
        ("{from: '@billing.example'}", True), ("{from: '*@*.example'}", True),
        ("{from: example}", True), ("{from: '@ling.example'}", False),
        ("{from: [x@y.example, '@billing.example']}", True),
        ("{to: boss@acme.example}", True), ("{to: support+x@acme.example}", True),
        ("{to: other@acme.example}", False),
        ("{subject: invoice}", True), ("{subject: 'YOUR INVOICE'}", True),
        ("{subject: '[4711]'}", True), ("{subject: 4711}", True), ("{subject: 'your*due'}", True),
        ("{subject: 'your*'}", True), ("{subject: 'invoice*'}", False), ("{subject: 'd?e'}", False),
        ("{body: pay soon}", True), ("{body: [no, PAY]}", True), ("{body: later}", False),
        ("{header: {x-flag: two}}", True), ("{header: {X-Flag: three}}", False),
        ("{header: {X-Flag: body}}", False), ("{header: {Subject: 'grüße'}}", True),
        ("{attachment: '*.pdf'}", True), ("{attachment: '*'}", True),
        ("{attachment: '*.zip'}", False),
        ("{larger: 5 MB}", True), ("{larger: 6MB}", False), ("{larger: 1}", True),
        ("{verdict: pass}", True), ("{verdict: fail}", False),
        ("{kind: person}", True), ("{kind: automatic}", False),
        ("{from: '@billing.example', subject: nothing}", False),
    ],
)  # fmt: skip
def test_a_rule_holds_for_such_mails(when: str, held: bool) -> None:
    (found,) = read(rule(when))
    assert fits(found, facts()) is held


@pytest.mark.parametrize(
    ("more", "is_new", "held"),
    [({}, True, True), ({}, False, False), ({"on": "reply"}, False, True),
     ({"on": "reply"}, True, False), ({"on": "every"}, False, True),
     ({"unless": "{subject: invoice}"}, True, False), ({"unless": "{subject: offer}"}, True, True),
     ({"unless": "{subject: invoice, kind: list}"}, True, True), ({"unless": "{}"}, True, True)],
)  # fmt: skip
def test_which_mails_are_meant_and_which_are_not(
    more: dict[str, str], is_new: bool, held: bool
) -> None:
    (found,) = read(rule("{from: '@billing.example'}", **more))
    assert (applies_to(found, is_new=is_new) and fits(found, facts())) is held


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rule in that"),
        ("name: x", "Rule 1.when"),
        ("name: x\nwhen: {}\nthen: {}", "say what"),
        ("name: x\nwhen: {form: a}\nthen: {tag: x}", "1.when.form: there is no such key"),
        ("name: x\nwhen: {larger: big}\nthen: {tag: x}", "is no size"),
        ("name: x\nwhen: {}\nthen: {tag: 'a b'}", "is not a valid tag"),
        ("name: x\nwhen: {}\nthen: {assign: bob}", "is not a Matrix ID"),
        ("name: x\nwhen: {}\nthen: {webhook: 'http://x.example'}", "begins with https"),
        ("name: x\nwhen: {}\nthen: {close: true, snooze: 2d}", "exclude each other"),
        ("[]", "no rule in that"),
        ("name: x\nwhen: {}\nthen: {assign: 5}", "is not a Matrix ID"),
        ("name: x\nwhen: {}\nthen:\n  tag: a\n  notify:", "1.then.notify"),
        ("name: x\nwhen: {from: []}\nthen: {tag: x}", "at least one text"),
        ("name: x\nwhen: 5\nthen: {tag: x}", "write keys and values"),
        ("name: x\nwhen: {}\nthen: {webhook: 'ftp://localhost/'}", "begins with https"),
        ("a: !!int ''", "no YAML"),
        ("name: x\nwhen: {}", "Rule 1.then: it is missing"),
        ("[a: {", "no YAML"),
        ("&a [*a]", "Rule 1"),
        ("x" * 10_001, "more than 10000"),
        ("!!python/object:os.system {}", ""),
    ],
)
def test_what_is_no_rule_says_why(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(text)
    assert said in str(refused.value)


def test_several_rules_may_be_written_at_once() -> None:
    one = "- name: a\n  when: {}\n  then: {tag: [X, y]}\n"
    text = f"{one}- name: b\n  on: every\n  when: {{}}\n  then: {{close: true}}"
    first, second = read(text)
    assert first.then.tag == ("x", "y")
    assert second.on == "every"


def test_no_pattern_takes_long() -> None:
    (found,) = read(rule("{subject: '" + "a*" * 60 + "b', body: '" + "*a" * 60 + "b'}"))
    mail = Mail(
        MessageId("<1@x>"), "h", Address("a@b"), subject="a" * 900, sender_kind=SenderKind.PERSON
    )
    began = time.process_time()
    assert not fits(found, facts(mail, "a" * 100_000))
    assert time.process_time() - began < 1.0


def test_every_key_of_a_rule_has_its_row() -> None:
    assert set(matching.CONDITIONS) == set(When.model_fields)
    assert set(ACTIONS) == set(Then.model_fields)


@pytest.mark.parametrize("pattern", ["@straße.example", "*@*.STRASSE.example", "strasse.example"])
def test_a_domain_in_a_rule_is_compared_as_in_addresses(pattern: str) -> None:
    written = When.model_validate({"from": pattern})
    for spec in ("a@straße.example", "a@xn--strae-oqa.example", "a@x.strasse.example"):
        is_other = ("ß" in pattern) is ("strasse" in spec)
        mail = Mail(MessageId("<1@x>"), "h", Address(spec))
        assert matching._all(written, facts(mail)) is not is_other, spec
