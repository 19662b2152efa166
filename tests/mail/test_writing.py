"""Threads, tokens and the bytes that leave."""

from __future__ import annotations

import re
from email.parser import BytesParser
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mail import template
from bridge.mail.compose import File, Outgoing, build, reply_subject
from bridge.mail.message_ids import MAX_REFERENCES, references_for
from bridge.mail.parse import parse
from bridge.mail.relay import OWN_ID
from bridge.mail.thread import Joined, Reason, ThreadEvidence, Unmatched, base_subject, place
from bridge.mail.token import Tokens
from bridge.mail.written import from_matrix, to_html
from bridge.model import Address, Mail, MessageId, Number, Permanent
from tests.mail.parts import part_bytes

CARLA = Address("carla@customer.example")
ONE, TWO = Number(1), Number(2)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


def outgoing(**changes: object) -> Outgoing:
    values: dict[str, object] = {
        "message_id": MessageId("<1.2.s@acme.example>"),
        "sender": Address("support@acme.example", "Bob from Acme"),
        "to": (Address("carla@customer.example", "Carla"),),
        "cc": (),
        "subject": "Re: Hello",
        "at": 1_700_000_000.0,
        "text": "Hello **you**",
        "html": "",
    }
    return Outgoing(**{**values, **changes})


def test_long_ids_stand_whole_on_their_lines() -> None:
    """python/cpython#100991: the package would encode them, which breaks threading."""
    long = MessageId(f"<{'x' * 300}@prod.outlook.com>")
    raw = build(outgoing(in_reply_to=long, references=(MessageId("<a@b>"), long)))
    assert f"In-Reply-To: {long}\r\n".encode() in raw
    assert f"References: <a@b>\r\n {long}\r\n".encode() in raw


@settings(max_examples=200, deadline=None)
@given(subject=TEXTS, name=TEXTS, text=TEXTS, file=TEXTS)
def test_T20_any_text_round_trips_and_adds_no_header(
    subject: str, name: str, text: str, file: str
) -> None:
    raw = build(outgoing(
        subject=subject, sender=Address("support@acme.example", name), text=text,
        files=(File(file, "image/png", b"data"),),
    ))  # fmt: skip
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", raw) is None
    assert raw.isascii()
    message = BytesParser(policy=default).parsebytes(raw)
    assert sorted(message.keys()) == [
        "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To", OWN_ID
    ]  # fmt: skip
    found = parse(raw)
    assert "".join(found.subject.split()) == "".join(clean(subject).split())
    assert found.sender.spec == "support@acme.example"
    assert part_bytes(raw, found.attachments[0].part) == b"data"


def clean(text: str) -> str:
    from bridge.mail.charset import clean_line

    return clean_line(text, 500)


def test_text_and_html_carry_the_signature() -> None:
    signature = template.fill("Acme\nSupport", {})
    found = parse(build(outgoing(letterhead=template.Letterhead(signature=signature))))
    assert found.text.replace("\r", "") == "Hello **you**\n\n-- \nAcme\nSupport\n"
    assert "<strong>you</strong>" in found.html
    assert "Acme<br>" in found.html


def test_an_impossible_address_is_named() -> None:
    with pytest.raises(Permanent, match="cannot be written"):
        build(outgoing(to=(Address("a@x.example\r\nBcc: evil@y.example"),)))


def test_markdown_obeys_no_html() -> None:
    assert "<script>" not in to_html("<script>alert(1)</script>")
    assert "javascript:" not in to_html("[x](javascript:alert(1))").replace("&", "")[:0] + str(
        re.findall(r"href=\"[^\"]*\"", to_html("[x](javascript:alert(1))"))
    )


def test_a_mention_is_a_name_without_a_link() -> None:
    text, html = from_matrix(
        "<mx-reply><blockquote>secret talk</blockquote></mx-reply>Hi "
        '<a href="https://matrix.to/#/@bob:x">Bob</a>, <b>see</b>'
    )
    assert text == "Hi Bob, see"
    assert "matrix.to" not in html
    assert "secret" not in text + html


@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("Hello", "Re: Hello"),
        ("Re: Hello", "Re: Hello"),
        ("AW: RE[2]: Fwd: Hello", "Re: Hello"),
        ("回复：你好", "Re: 你好"),
        ("", "Re: your message"),
        ("Report: numbers", "Re: Report: numbers"),
    ],
)
def test_subjects_get_re_once(subject: str, reply: str) -> None:
    assert reply_subject(subject) == reply
    assert base_subject(reply) == base_subject(subject) or not subject


def test_references_are_bounded_and_keep_the_first() -> None:
    ids = [MessageId(f"<{n}@x>") for n in range(100)]
    found = references_for(MessageId("<parent@x>"), ids)
    assert len(found) == MAX_REFERENCES
    assert (found[0], found[-1]) == ("<0@x>", "<parent@x>")


def test_a_signed_id_is_read_and_a_changed_one_is_not() -> None:
    tokens = Tokens("secret")
    message_id = tokens.message_id(Number(123), 7, "acme.example")
    assert re.fullmatch(r"<123\.7\.[\w-]+@acme\.example>", message_id)
    assert tokens.read(message_id) == 123
    assert Tokens("other").read(message_id) is None
    assert tokens.read(MessageId(message_id.replace("123", "124"))) is None
    for guess in ("<1@x>", "<>", "nonsense", "<1.2.x@y>", "<é@x>"):
        assert tokens.read(MessageId(guess)) is None


def known(**values: object) -> ThreadEvidence:
    return ThreadEvidence(**{"signed": [], "ids": [], "participants": {}, **values})


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (known(), Unmatched(Reason.FRESH)),
        (known(signed=[ONE]), Joined(ONE, Reason.TOKEN)),
        (known(ids=[("<p@x>", ONE)], participants={ONE: {CARLA.key}}),
         Joined(ONE, Reason.REFERENCE)),
        (known(ids=[("<p@x>", ONE)], participants={ONE: {"boss@customer.example"}}),
         Joined(ONE, Reason.REFERENCE)),
        (known(ids=[("<p@x>", ONE)], participants={ONE: {"x@else.example"}}),
         Unmatched(Reason.STRANGER, ONE)),
        (known(ids=[("<p@x>", ONE), ("<o@x>", TWO)],
               participants={ONE: set(), TWO: {CARLA.key}}), Joined(TWO, Reason.REFERENCE)),
        (known(awaited=[TWO], participants={TWO: {CARLA.key}}), Joined(TWO, Reason.AWAITED)),
        (known(same_subject=TWO), Unmatched(Reason.FRESH, TWO)),
    ],
)  # fmt: skip
def test_where_a_mail_belongs(state: ThreadEvidence, expected: object) -> None:
    mail = Mail(MessageId("<m@x>"), "", CARLA, in_reply_to=(MessageId("<p@x>"),))
    assert place(mail, state) == expected
