"""Reading mail: addresses, headers, bodies, machines, on cases from the wild."""

from __future__ import annotations

import os
import time
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mail import machine, quote
from bridge.mail.address import bare, parse_list, same_domain
from bridge.mail.charset import clean, clean_line, decode
from bridge.mail.header import decode_words
from bridge.mail.html import to_matrix, to_text
from bridge.mail.parse import body_hash, parse
from bridge.mail.trust import resembles, verdict
from bridge.model import SenderKind, Verdict
from tests.mail.parts import part_bytes
from tests.stage import mail


@pytest.mark.parametrize(
    ("header", "specs"),
    [
        ("alice@example.com", ["alice@example.com"]),
        ('"Doe, Alice" <alice@example.com>, bob@x.org', ["alice@example.com", "bob@x.org"]),
        ("Team: a@x.org, b@x.org;, c@x.org", ["a@x.org", "b@x.org", "c@x.org"]),
        ("alice@example.com (Alice (the first))", ["alice@example.com"]),
        ('"support@bank.example" <evil@x.org>', ["evil@x.org"]),
        ("a@good.example)b@evil.example", []),
        ("<a@good.example> <b@evil.example>", ["b@evil.example"]),
        ("Name <a@b@c>", []),
        ("undisclosed-recipients:;", []),
        ('"quoted local"@x.org', []),
        ('<"quoted local"@x.org>', ['"quoted local"@x.org']),
        ("<@relay.example:a@x.org>", ["a@x.org"]),
        ("'a@x.org'", ["a@x.org"]),
        ("<mailto:a@x.org>", ["a@x.org"]),
        ("Alice [mailto:a@x.org]", ["a@x.org"]),
        ("a@x.org; b@x.org", ["a@x.org", "b@x.org"]),
        ("(" * 400, []),
        ("", []),
    ],
)
def test_T06_addresses(header: str, specs: list[str]) -> None:
    assert [each.spec for each in parse_list(header)] == specs


@pytest.mark.parametrize("name", [")", "(", "Doe (Sales)", "a)b(c", 'say \\"hi\\"'])
def test_a_quoted_name_is_kept_whole(name: str) -> None:
    """Parentheses there are no comment (RFC 5322 §3.2.4)."""
    (found,) = parse_list(f'"{name}" <a@b.example>')
    assert found.name == name.replace("\\", "")


def test_five_thousand_addresses_take_no_time() -> None:
    began = time.process_time()
    found = parse_list(", ".join(f"Person {n} <p{n}@x.org>" for n in range(5000)))
    assert len(found) == 1000
    assert time.process_time() - began < 1


def test_a_typed_address_is_one_or_nothing() -> None:
    assert bare("a@b.example") is not None
    assert bare("Alice <a@b.example>") is not None
    assert bare("a@b.example, c@d.example") is None
    assert bare("nonsense") is None


def test_same_domain() -> None:
    assert same_domain("a@acme.example", "b@acme.example")
    assert not same_domain("a@gmail.com", "b@gmail.com")


@pytest.mark.parametrize(
    "domain",
    "yahoo.it yahoo.co.uk yahoo.com.br yahoo.com yahoo.ca outlook.fr outlook.com outlook.es outlook.jp"
    " hotmail.it hotmail.co.uk hotmail.com.tr live.nl live.com.au msn.com gmail.com googlemail.com"
    " gmx.de gmx.net gmx.at gmx.co.uk web.de t-online.de freenet.de posteo.net mailbox.org icloud.com"
    " me.com mac.com aol.com aol.de aim.com proton.me protonmail.com pm.me tutanota.com tuta.io"
    " fastmail.com fastmail.fm hey.com zoho.com zoho.eu mail.ru yandex.ru yandex.com ya.ru bk.ru qq.com"
    " 163.com 126.com sina.com naver.com daum.net orange.fr free.fr laposte.net sfr.fr libero.it"
    " virgilio.it tiscali.it btinternet.com sky.com virginmedia.com comcast.net verizon.net att.net"
    " seznam.cz wp.pl o2.pl onet.pl interia.pl uol.com.br bol.com.br terra.com.br rediffmail.com"
    " bigpond.com optusnet.com.au docomo.ne.jp ezweb.ne.jp ziggo.nl kpnmail.nl bluewin.ch".split(),
)
def test_T54_two_people_of_a_mail_provider_are_strangers(domain: str) -> None:
    assert not same_domain(f"a@{domain}", f"b@{domain}")


@pytest.mark.parametrize(
    "domain",
    ["acme.example", "mail.acme.de", "outlook-parts.com", "live.acme.com", "yahoo", "post.ch"],
)
def test_a_companys_domain_is_its_own(domain: str) -> None:
    assert same_domain(f"a@{domain}", f"b@{domain}")


def test_different_domains_are_different() -> None:
    assert not same_domain("a@acme.example", "b@other.example")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?b?R3LDvA==?= =?utf-8?b?w59l?=", "Grüße"),
        ("=?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "Grüße"),  # split inside a character
        ("Re: =?iso-8859-1?q?Gr=FC=DFe?= an alle", "Re: Grüße an alle"),
        ("=?gb2312?b?xOO6ww==?=", "你好"),
        ("=?x-unknown?q?caf=C3=A9?=", "café"),
        ("=?utf-8?q?not=ZZquoted?=", "not=ZZquoted"),
        ("plain", "plain"),
    ],
)
def test_encoded_words(value: str, text: str) -> None:
    assert decode_words(value) == text


def test_T19_charsets_fall_back_and_never_to_nothing() -> None:
    assert decode("Grüße".encode("latin-1"), "utf-8") == "Grüße"
    assert decode("Grüße".encode(), "ascii") == "Grüße"
    assert decode("日本語の文章です、よろしく".encode("shift_jis"), "nonsense")
    hidden = b"+ADw-script+AD4-x+ADw-/script+AD4-y"
    assert to_matrix(decode(hidden, "utf-7")) == "<p>y</p>"
    for name in ("unicode-escape", "raw_unicode_escape"):
        assert "<" not in decode(b"caf\xe9 \\x3cb\\x3e \\u003cscript\\u003e", name)
    assert decode(b"\xff\xfe\x00", None) != ""


@given(st.text(max_size=300))
def test_a_clean_text_can_be_json_and_utf8(text: str) -> None:
    assert "\x00" not in clean(text)
    clean(text).encode()
    line = clean_line(text)
    assert len(line.splitlines()) <= 1
    assert not set(line) & set("\u202e\u2066\u200e")


@pytest.mark.parametrize(
    ("headers", "sender_kind"),
    [
        ({}, SenderKind.PERSON),
        ({"Auto-Submitted": "no"}, SenderKind.PERSON),
        ({"Auto-Submitted": "auto-replied (vacation)"}, SenderKind.AUTOMATIC),
        ({"Precedence": "bulk"}, SenderKind.AUTOMATIC),
        ({"X-Auto-Response-Suppress": "All"}, SenderKind.AUTOMATIC),
        ({"List-Id": "<users.lists.example>"}, SenderKind.LIST),
        ({"Return-Path": "<>"}, SenderKind.AUTOMATIC),
        ({"Content-Type": "multipart/report; report-type=delivery-status"}, SenderKind.BOUNCE),
        ({"X-Loop": "somebody else"}, SenderKind.PERSON),
        ({"Subject": "Out of office"}, SenderKind.AUTOMATIC),
        ({"Subject": "Automatische Antwort: Urlaub"}, SenderKind.AUTOMATIC),
        ({"Subject": "Automatic replies do not work"}, SenderKind.PERSON),
        ({"Subject": "Out of office chairs?"}, SenderKind.PERSON),
        ({"From": "MAILER-DAEMON@x.example", "Subject": "Sorry"}, SenderKind.BOUNCE),
        (
            {"From": "postmaster@x.example", "Subject": "Your mail was not delivered"},
            SenderKind.BOUNCE,
        ),
        ({"From": "bounces@shop.example", "Subject": "Your invoice"}, SenderKind.PERSON),
        ({"List-Unsubscribe": "<mailto:x@y.example>"}, SenderKind.LIST),
        ({"List-Unsubscribe": "<mailto:x@y.example>", "In-Reply-To": "<a@b>"}, SenderKind.PERSON),
    ],
)
def test_who_wrote_a_mail(headers: dict[str, str], sender_kind: SenderKind) -> None:
    raw = "".join(f"{name}: {value}\n" for name, value in headers.items())
    assert machine.sender_kind(message_from_bytes(raw.encode() + b"\nx")) is sender_kind


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("mx.acme.example; dmarc=pass header.from=x.org", Verdict.PASS),
        (
            "mx.acme.example; dmarc=fail header.from=x.org; spf=pass smtp.mailfrom=x.org",
            Verdict.FAIL,
        ),
        ("mx.acme.example; spf=pass smtp.mailfrom=a@x.org", Verdict.PASS),
        ("mx.acme.example; spf=pass smtp.mailfrom=a@other.org; dkim=fail", Verdict.FAIL),
        ('"MX.acme.example" 1; dmarc=pass header.from=x.org', Verdict.PASS),
        (
            "mx.acme.example; dmarc=pass header.from=x.org; dmarc=fail header.from=x.org",
            Verdict.FAIL,
        ),
        (
            "mx.acme.example; dmarc=fail header.from=x.org; dmarc=pass header.from=x.org",
            Verdict.FAIL,
        ),
        ("mx.acme.example; arc=weird (( ; dmarc=fail header.from=x.org", Verdict.NONE),
        ("mx.acme.example; arc=weird (( ; dmarc=pass header.from=x.org", Verdict.NONE),
        # T55: an envelope sender that was copied into the header brings results along
        (
            'mx.acme.example; spf=pass (domain of "x);dkim=pass header.d=x.org;(y"@evil.example ok)'
            " smtp.mailfrom=evil.example",
            Verdict.NONE,
        ),
        (
            'mx.acme.example; spf=pass (domain of "x);dkim=pass header.d=x.org;spf=pass(y"@evil.example'
            " ok) smtp.mailfrom=evil.example",
            Verdict.NONE,
        ),
        (
            "mx.acme.example; iprev=pass policy.iprev=2001:db8::1 smtp.remote-ip=2001:db8::1 ;"
            ' spf=pass smtp.mailfrom="x; dkim=pass header.d=x.org; y"@evil.example',
            Verdict.NONE,
        ),
        (
            'mx.acme.example; spf=pass smtp.mailfrom="x\\"; dkim=pass header.d=x.org; a=\\""@evil.example',
            Verdict.NONE,
        ),
        ("mx.acme.example; spf=pass (a;b (c;d) e) smtp.mailfrom=a@x.org", Verdict.PASS),
        ('mx.acme.example; dkim=pass reason="good; really" header.d=x.org', Verdict.PASS),
        ("forged.example; dmarc=pass header.from=x.org", Verdict.NONE),
        ("mx.acme.example; nonsense ((", Verdict.NONE),
    ],
)
def test_T07_T55_only_our_own_server_is_believed_and_only_what_it_says(
    results: str, expected: Verdict
) -> None:
    message = message_from_bytes(f"Authentication-Results: {results}\n\nx".encode())
    assert verdict(message, "mx.acme.example", "x.org") is expected
    assert verdict(message, "", "x.org") is Verdict.NONE


@pytest.mark.parametrize(
    ("name", "ours"),
    [("Support", "Support"), ("SUPP0RT", "Support"), ("Suppоrt", "Support"), ("Śupport", "Support"),
     ("Su pport", "Support"), ("AIice", "alice"), ("Carla", ""), ("", ""), ("x", "")],
)  # fmt: skip
def test_T08_a_name_that_looks_like_ours_is_known(name: str, ours: str) -> None:
    assert resembles(name, ["Support", "alice", "x"]) == ours


def test_a_mail_with_everything() -> None:
    raw = mail("Plain", html="<p>Rich</p>", files=(("a b.pdf", "application/pdf", b"%PDF"),),
               Cc="c@x.org", In_Reply_To="<p@x>", References="<o@x> <p@x>")  # fmt: skip
    found = parse(raw)
    assert (found.text, found.html) == ("Rich\n\nPlain", "<p>Rich</p>\n")
    assert [(file.name, file.type, file.size) for file in found.attachments] == [
        ("a b.pdf", "application/pdf", 4)
    ]
    assert part_bytes(raw, found.attachments[0].part) == b"%PDF"
    assert found.ancestors() == ("<p@x>", "<o@x>")
    assert found.problem == ""


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Users\\\\x\\\\a.txt", "a.txt"),
        ("a\x00b.txt", "ab.txt"),
        ("=?utf-8?q?photo=E2=80=AEgpj.exe?=", "photogpj.exe"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("", "part-1.pdf"),
    ],
)
def test_T15_file_names_are_cleaned(name: str, cleaned: str) -> None:
    raw = f'Content-Type: application/pdf; name="{name}"\n\nx'.encode()
    assert parse(raw).attachments[0].name == cleaned


def test_trace_headers_do_not_change_the_hash_and_the_body_does() -> None:
    raw = mail("Hello")
    assert body_hash(b"Received: x\r\nX-Spam: 1\r\n" + raw) == body_hash(raw)
    assert body_hash(raw.replace(b"\r\n", b"\n")) == body_hash(raw)
    assert body_hash(raw.replace(b"Hello", b"Other")) != body_hash(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 500,
        b"From: " + b"(" * 400 + b"\n\nx",
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n" * 5000,
        b"Content-Type: message/rfc822\n\n" * 1000 + b"x",
        b"Subject: " + b"=?utf-8?q?x?= " * 10_000 + b"\n\nx",
        b"To: " + b"a@b.example, " * 5000 + b"\n\nx",
        b"Content-Type: text/plain; charset=\xff\n\nx",
        b"From: a@b.example\nFrom: c@d.example\n\nx",
    ],
    ids=["empty", "noise", "open comments", "parts", "nested", "words", "addresses", "charset",
         "two senders"],
)  # fmt: skip
def test_hostile_mail_is_read_quickly_and_never_raises(raw: bytes) -> None:
    began = time.process_time()
    quote.split(parse(raw))
    assert time.process_time() - began < 2


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_a_mutated_mail_never_raises(noise: bytes, at: int) -> None:
    raw = mail("Hello", html="<p>Hi</p>", files=(("a.txt", "text/plain", b"x"),))
    quote.split(parse(raw[:at] + noise + raw[at + len(noise) :]))


@pytest.mark.corpus
def test_every_mail_of_the_corpus_is_read() -> None:
    files = [path for path in Path(os.environ["MAIL_CORPUS"]).rglob("*") if path.is_file()]
    assert files
    for path in files:
        raw = path.read_bytes()
        found = parse(raw)
        body = quote.split(found)
        assert found.message_id, path
        for text in (body.text, body.history, body.html, body.html_history):
            text.encode()
        for attachment in found.attachments:
            part_bytes(raw, attachment.part)


def test_html_becomes_what_matrix_clients_show() -> None:
    html = to_matrix(
        '<style>p{}</style><p>Hi <a href="https://evil.example/x">www.bank.example</a></p>'
        '<img src="cid:1" alt="our logo"><form action="/"><input></form><svg onload="x()"></svg>'
        '<a href="data:text/html,x">d</a><iframe src="//x"></iframe>'
    )
    assert "(evil.example)" in html
    assert "[picture: our logo]" in html
    for evil in ("<style", "<form", "<input", "<svg", "data:", "<iframe", "<img"):
        assert evil not in html


def test_text_of_html() -> None:
    assert to_text("<p>One</p><p>Two<br>three</p>") == "One\n\nTwo\nthree"
    assert to_text("") == ""


@pytest.mark.parametrize("tag", ["<div>", "<ul><li>", "<span>", "<table><tr><td>", "<b>"])
def test_nested_html_takes_no_time(tag: str) -> None:
    html = (tag * 100_000)[:900_000] + "the words"
    began = time.process_time()
    found = parse(b"Content-Type: text/html\n\n" + html.encode())
    quote.split(found)
    assert time.process_time() - began < 2
    assert "the words" in found.text


@pytest.mark.parametrize("said", [
    {"Precedence": "bulk"}, {"X_Auto_Response_Suppress": "All"}, {"X_Precedence": "auto_reply"},
])  # fmt: skip
def test_what_asks_for_no_automatic_answer_may_be_an_answer_of_a_person(
    said: dict[str, str],
) -> None:
    answer = parse(mail("Still dark.", subject="Re: x", In_Reply_To="<x@acme.example>", **said))
    fresh = parse(mail("News", **said))
    assert (answer.sender_kind, answer.wants_no_answer) == (SenderKind.PERSON, True)
    assert (fresh.sender_kind, fresh.wants_no_answer) == (SenderKind.AUTOMATIC, True)


@pytest.mark.parametrize("subject", [
    "OOO: Re: x", "Risposta automatica: R: x", "Abwesenheit: AW: x", "Absence from work",
    "Frånvaro - Sv: x", "不在", "外出", "Poza biurem (Re: x)", "Respuesta automatica: x",
])  # fmt: skip
def test_an_answer_about_an_absence_is_automatic(subject: str) -> None:
    kinds = [parse(mail("I am away.", subject=subject, **more)).sender_kind
             for more in ({"In_Reply_To": "<x@acme.example>"}, {})]  # fmt: skip
    expected = SenderKind.PERSON if subject == "Absence from work" else SenderKind.AUTOMATIC
    assert kinds[0] is expected
    assert kinds[1] is (SenderKind.AUTOMATIC if "automatica" in subject else SenderKind.PERSON)
