"""What leaves is a model citizen of email: read back by our reader and by those of others."""

from __future__ import annotations

import json
import re
import subprocess
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import fast_mail_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mail import quote
from bridge.mail.address import idna
from bridge.mail.charset import clean, clean_line
from bridge.mail.compose import File, Outgoing, Quote, build
from bridge.mail.limits import over
from bridge.mail.message_ids import references_for
from bridge.mail.parse import parse
from bridge.mail.written import from_matrix
from bridge.model import Address, MessageId, SenderKind
from tests import provision
from tests.mail.parts import part_bytes

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 60
PERL = Path(__file__).parent.parent / "servers" / "mimeparser.pl"


def outgoing(**changes: object) -> Outgoing:
    values: dict[str, object] = {
        "message_id": MessageId("<1.2.s@acme.example>"),
        "sender": Address("support@acme.example", "Bob from Acme"),
        "to": (Address("carla@customer.example", "Carla"),),
        "cc": (), "subject": "Re: Hello", "at": 1_700_000_000.0, "text": "Hello **you**",
        "html": "",
    }  # fmt: skip
    return Outgoing(**{**values, **changes})


def defects(message: Message) -> list[Any]:
    return [defect for part in message.walk() for defect in part.defects]


@settings(max_examples=150, deadline=None)
@given(subject=TEXTS, name=TEXTS, text=TEXTS, file=TEXTS)
def test_any_text_comes_back_as_it_was_sent(subject: str, name: str, text: str, file: str) -> None:
    raw = build(outgoing(
        subject=subject, sender=Address("support@acme.example", name), text=text,
        files=(File(file, "application/pdf", b"%PDF"), File(file, "image/png", PNG, shown=True)),
    ))  # fmt: skip
    assert raw.isascii()
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", raw) is None
    assert max(map(len, raw.split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1
    assert not defects(message_from_bytes(raw))
    assert not defects(BytesParser(policy=default).parsebytes(raw))
    found = parse(raw)
    assert not found.problem
    assert "".join(found.subject.split()) == "".join(clean_line(subject, 500).split())
    assert "".join(found.sender.name.split()) == "".join(clean_line(name, 120).split())
    shown, attached = found.attachments
    assert found.text.split() == [*clean(text).split(), *f"[{clean_line(file, 120)}]".split()]
    assert (part_bytes(raw, shown.part), part_bytes(raw, attached.part)) == (PNG, b"%PDF")
    assert f'src="cid:{shown.content_id}"' in found.html


SAMPLES = {
    "plain": outgoing(),
    "umlauts": outgoing(subject="Grüße aus Köln " * 8, html="<p>Grüße</p>",
                        text="Viele freundliche Grüße an alle\n" * 30),
    "japanese": outgoing(subject="注文の件について " * 6, text="お世話になっております。\n" * 40,
                         sender=Address("support@acme.example", "サポート")),
    "files": outgoing(files=(File("Angebot für Köln.pdf", "application/pdf", b"%PDF" * 90),
                             File("写真.png", "image/png", PNG, shown=True))),
    "long lines": outgoing(text="word " * 600 + "\n" + "x" * 3000),
    "quote": outgoing(quote=Quote("On Monday, Carla wrote:", "One\n\nTwo", "<p>One</p>")),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_a_parser_in_rust_reads_what_we_wrote(name: str) -> None:
    mail = SAMPLES[name]
    found = fast_mail_parser.parse_email(build(mail), strict=True)
    assert found.warnings == []
    assert found.subject == mail.subject.strip()
    assert mail.text.split()[0] in found.text_plain[0]
    assert sorted(each.filename for each in found.attachments) == sorted(
        file.name for file in mail.files
    )
    assert sorted(bytes(each.content) for each in found.attachments) == sorted(
        file.data for file in mail.files
    )


@pytest.mark.skipif(not provision.perl_mime(), reason="needs Perl's MIME::Parser")
@pytest.mark.parametrize("name", SAMPLES)
def test_a_parser_in_perl_reads_what_we_wrote(name: str) -> None:
    mail = SAMPLES[name]
    done = subprocess.run(
        ["perl", PERL], input=build(mail), capture_output=True, check=True, timeout=60
    )
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert found["headers"]["subject"] == mail.subject.strip()
    first, second, *files = found["leaves"]
    assert first["type"] == "text/plain"
    assert mail.text.split()[0] in bytes.fromhex(first["hex"]).decode()
    assert second["type"] == "text/html"
    assert sorted((each["name"], bytes.fromhex(each["hex"])) for each in files) == sorted(
        (file.name, file.data) for file in mail.files
    )


def test_the_shorter_encoding_is_taken_and_ascii_needs_none() -> None:
    def encodings(mail: Outgoing) -> list[str]:
        message = message_from_bytes(build(mail))
        return [str(part["Content-Transfer-Encoding"]) for part in message.walk()
                if not part.is_multipart()]  # fmt: skip

    assert encodings(SAMPLES["plain"]) == ["7bit", "7bit"]
    assert encodings(SAMPLES["umlauts"])[0] == "quoted-printable"
    assert encodings(SAMPLES["japanese"])[0] == "base64"


def test_a_domain_in_any_script_is_written_in_ascii_and_a_mailbox_cannot_be() -> None:
    assert idna("bob@köln.example") == "bob@xn--kln-sna.example"
    assert idna("jürgen@köln.example") == "jürgen@xn--kln-sna.example"
    raw = build(outgoing(to=(Address("bob@köln.example"),)))
    assert b"To: bob@xn--kln-sna.example\r\n" in raw
    raw = build(outgoing(to=(Address("jürgen@köln.example", "Jürgen"),)))
    assert "To: Jürgen <jürgen@xn--kln-sna.example>\r\n".encode() in raw
    assert parse(raw).to[0].spec == "jürgen@xn--kln-sna.example"


def test_an_id_or_a_subject_that_looks_like_an_encoded_word_stays_as_it_is() -> None:
    odd = MessageId("<=?utf-8?q?a?=.1@x.example>")
    raw = build(
        outgoing(
            in_reply_to=odd, references=(odd,), subject="Re: =?utf-8?q?=F0=9F?=",
            to=(Address("carla@customer.example", "=?utf-8?q?Boss?="),),
        )
    )  # fmt: skip
    assert f"In-Reply-To: {odd}\r\nReferences: {odd}\r\n".encode() in raw
    back = parse(raw)
    assert (back.in_reply_to, back.references) == ((odd,), (odd,))
    assert back.subject == "Re: = ?utf-8?q?=F0=9F?="
    assert back.to[0].name == "= ?utf-8?q?Boss?="
    long = MessageId(f"<{'a' * 975}@x.example>")
    assert b"In-Reply-To" not in build(outgoing(in_reply_to=long))
    assert references_for(MessageId("<a@x>"), [long]) == ("<a@x>",)


def test_a_quote_is_folded_by_whoever_reads_it() -> None:
    mail = outgoing(quote=Quote("On Mon, 1 Jan 2024 at 13:00, Carla <c@x.example> wrote:",
                                "Is it <b>good</b>?", "<p>Is it good?</p>"))  # fmt: skip
    body = quote.split(parse(build(mail)))
    assert body.text == "Hello **you**"
    assert "> Is it <b>good</b>?" in body.history
    assert "good" not in body.html
    assert "Is it good?" in body.html_history


def test_what_no_person_wrote_says_so_and_is_known_again() -> None:
    raw = build(outgoing(automatic="auto-replied"))
    for line in (b"Auto-Submitted: auto-replied", b"X-Auto-Response-Suppress: All",
                 b"X-Loop: support@acme.example"):  # fmt: skip
        assert line + b"\r\n" in raw
    assert parse(raw).sender_kind is SenderKind.AUTOMATIC
    assert parse(build(outgoing())).sender_kind is SenderKind.PERSON


@pytest.mark.parametrize(
    ("formatted", "text"),
    [
        ('Hi <a href="https://matrix.to/#/@bob:x">Bob</a>', "Hi Bob"),
        ('Hi <a href="matrix:u/bob:x">Bob</a>', "Hi Bob"),
        ('<a href="https://acme.example/">our page</a>', "our page"),
        ('ok <img data-mx-emoticon src="mxc://x/y" alt=":party:">', "ok :party:"),
        ("<mx-reply><blockquote>secret</blockquote></mx-reply>yes", "yes"),
        ("<mx-reply><blockquote>secret<mx-reply></mx-reply>talk</blockquote></mx-reply>y", "y"),
        ('<span data-mx-spoiler="no">hidden</span>', "hidden"),
        ("<script>x()</script>a<style>p{}</style>", "a"),
    ],
)
def test_what_a_matrix_client_wrote_is_plain_mail(formatted: str, text: str) -> None:
    found, html = from_matrix(formatted)
    assert found == text
    assert "matrix" not in html and "mxc:" not in html and "secret" not in html


def test_the_file_that_is_too_large_is_named_with_the_limit() -> None:
    assert over([("a.pdf", 10), ("b.pdf", 20)], 30) == ""
    said = over([("a.pdf", 2_100_000), ("film.mp4", 30_000_000)], 25_000_000)
    assert said == ("film.mp4 has 30 MB, and all files 32.1 MB: over this inbox's limit of 25 MB"
                    " for a mail. Send less, or a link.")  # fmt: skip


NAMES = [
    "Prüfbericht.pdf", "Größenübersicht für Köln und Düsseldorf, Stand März 2026 (endgültig).pdf",
    "報告書.pdf", "お見積書_株式会社アクメ_二〇二六年十一月二十八日_改訂版その三.pdf", "отчёт.pdf",
    "Отчёт о проверке дисплея по заказу номер 4711 от двадцать восьмого ноября.docx",
    "报告.txt", "보고서.xlsx", "תקרית.png", "تقرير.png", "παραγγελία.zip", "ใบเสร็จ.pdf", "é.pdf",
    "naïve café.txt", "100 % Größe.pdf", 'a "quoted" ü.txt', "semi;colon ü.txt", "ü=x.txt",
    "ü?.txt",
    "a_b ü.txt", "ü", "🙂.png", "Zürich 🙂 Bern.png", "e\u0301.txt", "ǅ.pdf", "ı.pdf", "ß.pdf",
    "İstanbul.pdf", "ü" * 110 + ".pdf", "plain name.pdf",
]  # fmt: skip


def as_old_outlook_reads(part: Message) -> str:
    """The name that a program gets which knows RFC 2047 in `name=` only."""
    found = re.search(r'\bname="((?:[^"\\]|\\.)*)"', str(part["Content-Type"]), re.DOTALL)
    if found is None:
        plain = re.search(r'filename="((?:[^"\\]|\\.)*)"', str(part["Content-Disposition"]))
        return plain[1] if plain else ""
    return str(make_header(decode_header(re.sub(r"\r?\n ", " ", found[1]))))


@pytest.mark.parametrize("shown", [False, True])
def test_every_program_gets_the_names_of_files(shown: bool) -> None:
    files = tuple(File(name, "image/png", b"PNG", shown) for name in NAMES)
    raw = build(outgoing(files=files))
    parts = [each for each in message_from_bytes(raw).walk() if each.get_filename()]
    assert [as_old_outlook_reads(part) for part in parts] == NAMES
    assert [each.name for each in parse(raw).attachments] == NAMES
    assert max(map(len, raw.split(b"\r\n"))) <= 998
