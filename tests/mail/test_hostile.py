"""Hostile mail: bombs, mutations, markup that must not act, and the time and memory they take."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from bridge.mail.html import ATTRIBUTES, TAGS, to_matrix, to_text
from bridge.mail.reading import read
from tests import mutations
from tests.mail.samples import SAMPLES

BOMBS = {
    "T16 nested multiparts": b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(5000)
    ),
    "T16 nested messages": b"Content-Type: message/rfc822\n\n" * 5000,
    "T16 ten thousand parts": b"Content-Type: multipart/mixed; boundary=x\n\n"
    + b"--x\nContent-Type: text/plain\n\nhi\n" * 10_000,
    "T16 a From of comments": b"From: " + b"(" * 405 + b"\n\nx",
    "T16 a header of ten megabytes": b"X: " + b"y" * 10_000_000 + b"\n\nx",
    "T16 a million header lines": b"X-A: b\n" * 1_000_000 + b"\nx",
    "T17 a zip bomb": b"Content-Type: application/zip; name=42.zip\n"
    b"Content-Transfer-Encoding: base64\n\nUEsDBBQ" + b"A" * 3_000_000,
    "T17 a picture of 50,000 x 50,000": b"Content-Type: image/png\n\n\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    + (50_000).to_bytes(4, "big") * 2,
    "T18 quotes within quotes": b"\n" + b">" * 1_000_000,
    "T18 intros": b"\n" + b"On 1.1.2024 13:00 a <b@c> wrote:\n" * 30_000,
    "T18 half an intro": b"\n" + b"On 1.1.2024 " * 80_000,
    "T19 UTF-7": b"Content-Type: text/plain; charset=utf-7\n\n+ADw-script+AD4-" * 1000,
    "T19 surrogates": b"Content-Type: text/plain; charset=utf-16\n\n" + b"\x00\xd8" * 100_000,
    "T19 punycode": b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 200_000,
    "HTML of tables": b"Content-Type: text/html\n\n" + b"<table><tr><td>" * 60_000,
    "HTML of bold paragraphs": b"Content-Type: text/html\n\n" + b"<b><p>" * 100_000,
    "HTML of one attribute": b"Content-Type: text/html\n\n<p style='" + b"display:" * 100_000,
    "HTML of blanks": b"Content-Type: text/html\n\n<p>" + b"&nbsp;" * 30_000 + b"x",
    "HTML of quotes": b"Content-Type: text/html\n\n" + b"<blockquote>" * 290 + b"x<br>" * 9000,
    "HTML of code": b"Content-Type: text/html\n\n" + b"<pre>" * 290 + b"x\n" * 50_000,
    "HTML of formatting": b"Content-Type: text/html\n\n" + b"<b>" * 200 + b"<p>x</p>" * 20_000,
    "HTML of attributes": b"Content-Type: text/html\n\n" + b"<p a='>' b=" * 30_000,
    "HTML of flat links": b"Content-Type: text/html\n\n" + b"<a href=http://x.y>z</a>" * 40_000,
    "a calendar that repeats": b"Content-Type: text/calendar\n\nBEGIN:VCALENDAR\n"
    + b"BEGIN:VEVENT\nRRULE:FREQ=SECONDLY\nDTSTART:20250101T000000Z\nEND:VEVENT\n" * 2000,
}
MEASURE = (
    "import sys, time\n"
    "from bridge.mail.reading import read\n"
    "raw = sys.stdin.buffer.read()\n"
    "began = time.process_time()\n"
    "mail, body = read(raw)\n"
    "took = time.process_time() - began\n"
    # not getrusage: a child begins with the peak of the process that started it
    "status = open('/proc/self/status').read()\n"
    "peak = int(status.partition('VmHWM:')[2].split()[0]) // 1024\n"
    "print(took, peak, len(body.text))\n"
)


@pytest.mark.parametrize("name", BOMBS)
def test_T16_T17_a_bomb_is_shown_in_two_seconds_and_300_megabytes(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=BOMBS[name],
        capture_output=True,
        timeout=60,
        check=True,
    )
    took, memory, _ = done.stdout.split()
    assert float(took) < 2, took
    assert int(memory) < 300, memory


def test_ten_thousand_mutated_mails_raise_nothing_and_take_no_time() -> None:
    assert mutations.run(10_000, 4711) == []


def test_a_mutation_is_the_same_for_the_same_seed() -> None:
    raw = SAMPLES["outlook"]
    assert mutations.mutated(raw, random.Random("1.2")) == mutations.mutated(
        raw, random.Random("1.2")
    )
    assert mutations.mutated(raw, random.Random("1.2")) != raw


EVIL = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>", "<a href='java\nscript:alert(1)'>x</a>",
    "<a href=' javascript:x'>x</a>", "<a href=data:text/html,x>x</a>", "<a href=file:///etc>x</a>",
    "<iframe src=//evil.example></iframe>", "<object data=x></object>", "<embed src=x>",
    "<form action=//evil.example><input name=p><button>go</button></form>", "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>", "<link rel=stylesheet href=//evil.example>",
    "<style>@import'//evil.example'</style>", "<p style=background:url(//evil.example)>x</p>",
    "<math><mtext><script>x</script>", "<noscript><p title='</noscript><img src=x onerror=x>'>",
    "<video src=//evil.example poster=//evil.example>", "<table background=//evil.example><tr><td>x",
    "<p onclick=x() data-mx-color=red class=x id=y>x</p>", "<mx-reply>x</mx-reply>",
    "<a href=https://ok.example ping=//evil.example onmouseover=x>x</a>", "<!--<script>-->x",
    "<div hidden>secret</div>", "<template><script>x</script></template>", "<xmp><script>x</script></xmp>",
)  # fmt: skip


def allowed(html: str) -> None:
    """Nothing but the subset of the specification, whatever a browser makes of it."""
    tree = LexborHTMLParser(html)
    for node in tree.body.traverse() if tree.body is not None else ():
        if node.tag == "body":
            continue
        assert node.tag in TAGS, html
        assert set(node.attributes) <= ATTRIBUTES.get(str(node.tag), set()), html
        href = node.attributes.get("href")
        assert href is None or re.match(r"\s*(https?:|mailto:)", href, re.IGNORECASE), html


@pytest.mark.parametrize("evil", EVIL)
def test_T10_markup_that_acts_is_gone(evil: str) -> None:
    for html in (evil, f"<b>{evil}</b>", f"<table><tr><td>{evil}<td>{evil}", f"<pre>{evil}"):
        shown = to_matrix(html)
        allowed(shown)
        assert "evil.example" not in re.sub(r"\(evil\.example\)", "", shown)


PIECES = st.sampled_from([*EVIL, "words", "<b>", "</b>", "<table>", "<tr>", "<td>", "</table>", "<ul>",
                          "<li>", "<pre>", "<a href=https://a.example>", "</a>", "&lt;script&gt;", "<p>",
                          "<blockquote>", "<details>", "<h1>", "\ue000", "\ue001", "&#0;", "\u202e"])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25))
def test_no_mixture_gets_anything_else_through_and_what_is_shown_is_stable(
    pieces: list[str],
) -> None:
    shown = to_matrix("".join(pieces))
    allowed(shown)
    assert to_text(shown).split() == to_text(to_matrix(shown)).split()


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ('<a href="https://evil.example/x">www.bank.example</a>', " (evil.example)"),
        ('<a href="https://evil.example/x">bank.example/login</a>', " (evil.example)"),
        ('<a href="https://bank.example@evil.example">https://bank.example</a>', " (evil.example)"),
        ('<a href="https://www.bank.example/x">bank.example</a>', ""),
        ('<a href="https://evil.example/x">click here</a>', ""),
        ('<a href="https://evil.example/x"><b>www.bank</b>.example</a>', " (evil.example)"),
        ('<a href="https://evil.example/x">www&#46;bank&#46;example</a>', " (evil.example)"),
        ('<a href="mailto:x@evil.example">boss@bank.example</a>', " (x@evil.example)"),
    ],
)
def test_T12_a_link_that_looks_like_another_host_names_the_true_one(html: str, shown: str) -> None:
    assert to_matrix(html).partition("</a>")[2] == f"{shown}</p>"


def test_layout_is_unwrapped_and_data_stays_in_rows() -> None:
    layout = (
        "<table><tr><td><table><tr><td><p>One</p></td></tr></table></td><td><p>Two</p></td></table>"
    )
    assert to_matrix(layout) == "<p>One</p><p>Two</p>"
    assert to_text(layout).split() == ["One", "Two"]
    data = "<table><tr><td><p>a</p></td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
    assert to_matrix(data) == "<p>a · b<br>c · d</p>"


def test_a_mail_that_cannot_be_folded_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("bridge.mail.reading.split", fails)
    began = time.process_time()
    mail, body = read(SAMPLES["gmail"])
    assert time.process_time() - began < 1
    assert "RecursionError" in mail.problem
    assert "Thanks, that works." in body.text
