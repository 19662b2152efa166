"""What is new in a reply: languages, mail programs, answers between quotes, linear time."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mail import quote
from bridge.mail.html import to_text
from bridge.mail.languages import LANGUAGES
from bridge.model import Address, Mail, MessageId


def split(text: str = "", html: str = "", subject: str = "Re: Order") -> quote.Body:
    sender = Address("alice@example.com")
    text = text or to_text(html)
    return quote.split(Mail(MessageId("<x@x>"), "", sender, subject=subject, text=text, html=html))


def words(text: str) -> Counter[str]:
    return Counter(text.split())


# As Gmail, Apple Mail, Outlook and Thunderbird write them.
INTROS = {
    "ar": "في الاثنين، ١ يناير 2024 في 13:00 كتب Bob <bob@x.example>:",
    "bg": "На пн, 1.01.2024 г. в 13:00 Bob <bob@x.example> написа:",
    "ca": "El dl., 1 de gen. 2024, 13:00, Bob <bob@x.example> va escriure:",
    "cs": "Dne po 1. 1. 2024 13:00 uživatel Bob <bob@x.example> napsal:",
    "da": "Den man. 1. jan. 2024 kl. 13.00 skrev Bob <bob@x.example>:",
    "de": "Am Mo., 1. Jan. 2024 um 13:00 Uhr schrieb Bob <bob@x.example>:",
    "el": "Στις Δευ 1 Ιαν 2024 στις 1:00 μ.μ., ο χρήστης Bob <bob@x.example> έγραψε:",
    "en": "On Mon, Jan 1, 2024 at 1:00 PM Bob <bob@x.example> wrote:",
    "es": "El lun, 1 ene 2024 a las 13:00, Bob (<bob@x.example>) escribió:",
    "et": "Kuupäev E, 1. jaanuar 2024 kell 13:00 kirjutas Bob <bob@x.example>:",
    "fi": "ma 1. tammik. 2024 klo 13.00 Bob (bob@x.example) kirjoitti:",
    "fr": "Le lun. 1 janv. 2024 à 13:00, Bob <bob@x.example> a écrit :",
    "he": "\u202bבתאריך יום ב׳, 1 בינו׳ 2024 ב-13:00 מאת \u202aBob\u202c <bob@x.example>:",
    "hr": "pon, 1. sij 2024. u 13:00 Bob <bob@x.example> napisao/la je napisao:",
    "hu": "Bob <bob@x.example> ezt írta (időpont: 2024. jan. 1., H, 13:00):",
    "id": "Pada tanggal Sen, 1 Jan 2024 pukul 13.00 Bob <bob@x.example> menulis:",
    "it": "Il giorno lun 1 gen 2024 alle ore 13:00 Bob <bob@x.example> ha scritto:",
    "ja": "2024年1月1日(月) 13:00 Bob <bob@x.example> のメール:",
    "ko": "2024년 1월 1일 (월) 오후 1:00, Bob <bob@x.example>님이 작성:",
    "lt": "2024-01-01, pr, 13:00 Bob <bob@x.example> rašė:",
    "lv": "pirmd., 2024. g. 1. janv., plkst. 13:00 — Bob (<bob@x.example>) rakstīja:",
    "nb": "man. 1. jan. 2024 kl. 13:00 skrev Bob <bob@x.example>:",
    "nl": "Op ma 1 jan 2024 om 13:00 schreef Bob <bob@x.example>:",
    "pl": "pon., 1 sty 2024 o 13:00 Bob <bob@x.example> napisał(a):",
    "pt": "Em seg., 1 de jan. de 2024 às 13:00, Bob <bob@x.example> escreveu:",
    "ro": "În lun., 1 ian. 2024 la 13:00, Bob <bob@x.example> a scris:",
    "ru": "пн, 1 янв. 2024 г. в 13:00, Bob <bob@x.example>: писал:",
    "sk": "po 1. 1. 2024 o 13:00 Bob <bob@x.example> napísal(a):",
    "sl": "V pon., 1. jan. 2024 ob 13:00 je oseba Bob <bob@x.example> je napisala:",
    "sr": "пон, 1. јан 2024. у 13:00 Bob <bob@x.example> је написао/ла:",
    "sv": "Den mån 1 jan. 2024 kl 13:00 skrev Bob <bob@x.example>:",
    "th": "ในวันที่ จ. 1 ม.ค. 2024 เวลา 13:00 Bob <bob@x.example> เขียนว่า:",
    "tr": "Bob <bob@x.example>, 1 Oca 2024 Pzt, 13:00 tarihinde şunu yazdı:",
    "uk": "пн, 1 січ. 2024 р. о 13:00 Bob <bob@x.example> пише:",
    "vi": "Vào Th 2, 1 thg 1, 2024 vào lúc 13:00 Bob <bob@x.example> đã viết:",
    "zh": "Bob <bob@x.example> 于2024年1月1日周一 13:00写道：",
}


def test_there_are_eighteen_languages_and_a_sample_of_each() -> None:
    assert len(LANGUAGES) >= 18
    assert set(INTROS) == set(LANGUAGES)


@pytest.mark.parametrize("code", INTROS)
def test_an_intro_in_any_language_begins_the_history(code: str) -> None:
    body = split(f"The answer.\n\n{INTROS[code]}\n\n> The question.\n> Yours, Bob\n")
    assert body.text == "The answer."
    assert body.history.startswith(INTROS[code])


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_header_block_in_any_language_begins_the_history(code: str) -> None:
    known = LANGUAGES[code]
    head = (
        f"{known.from_labels[0].capitalize()}: Bob <bob@x.example>\n"
        f"{known.date_labels[0].capitalize()}: 2024-01-01 13:00\n"
        f"{known.to_labels[0].capitalize()}: Alice <alice@example.com>\n"
        f"{known.subject_labels[0].capitalize()}: Order\n"
    )
    for above in ("", "________________________________\n", f"-----{known.original[0]}-----\n"):
        body = split(f"The answer.\n\n{above}{head}\nThe question.\n\nAnd another.\n")
        assert body.text == "The answer."
        assert "And another." in body.history
    assert split(f"{head}\nThe question.").history == ""


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_forwarded_mail_is_not_cut(code: str) -> None:
    text = (
        f"Please see below.\n\n---------- {LANGUAGES[code].forwarded[0]} ----------\n{HEAD}\nHelp!"
    )
    assert split(text).text == text
    assert split(f"See below.\n\n{HEAD}\nHelp!", subject="Fwd: Help").history == ""
    assert split(f"See below.\n\n{HEAD}\nHelp!", subject="Re: Help").text == "See below."


HEAD = "From: Bob <bob@x.example>\nSent: 2024-01-01 13:00\nTo: Carl\nSubject: Help\n"
OLD = "<p>The question.</p><p>Yours, Bob</p>"
INTRO = (
    "On Mon, Jan 1, 2024 at 1:00 PM Bob &lt;<a href='mailto:b@x.example'>b@x.example</a>&gt; wrote:"
)
FIELDS = (
    "<b>X1:</b> Bob &lt;bob@x.example&gt;<br><b>X2:</b> 1 Jan 2024<br><b>X3:</b> Alice<br>"
    "<b>X4:</b> Order"
)
# Words of no language at all: only the structure tells.
STRUCTURES = {
    "gmail": f"<div dir=ltr>New.</div><br><div class=gmail_quote><div dir=ltr class=gmail_attr>"
    f"Xy zzy:<br></div><blockquote class=gmail_quote style='margin:0'>{OLD}</blockquote></div>",
    "outlook web": f"<div class=elementToProof>New.</div><div id=appendonsend></div><hr>"
    f"<div id=divRplyFwdMsg dir=ltr>{FIELDS}</div>{OLD}",
    "outlook mobile": f"<div>New.</div><div id=mail-editor-reference-message-container><div>"
    f"{FIELDS}</div><div>{OLD}</div></div>",
    "outlook for mac": f"<div>New.</div><span id=OLK_SRC_BODY_SECTION><div>{FIELDS}</div>{OLD}"
    "</span>",
    "apple": f"<div>New.</div><div><br><blockquote type=cite><div>Xy zzy:</div><br>{OLD}"
    "</blockquote></div>",
    "yahoo": f"<div class=ydp1>New.</div><div id=ydp2yahoo_quoted_1 class=yahoo_quoted><div>Xy zzy:"
    f"</div><div>{OLD}</div></div>",
    "thunderbird": f"<p>New.</p><div class=moz-cite-prefix>Xy zzy:<br></div><blockquote type=cite "
    f"cite='mid:1@x'>{OLD}</blockquote>",
    "proton": f"<div>New.</div><div class='protonmail_quote'>Xy zzy:<br><blockquote "
    f"class=protonmail_quote type=cite>{OLD}</blockquote></div>",
    "zimbra": f"<div>New.</div><hr id=zwchr data-marker=__DIVIDER__><div data-marker=__HEADERS__>"
    f"{FIELDS}</div><div data-marker=__QUOTED_TEXT__>{OLD}</div>",
    "gmx": f"<div>New.</div><div name=quote style='margin:10px'>{FIELDS}{OLD}</div>",
    "fastmail": f"<div>New.</div><blockquote type=cite id=qt>{OLD}</blockquote>",
}  # fmt: skip


@pytest.mark.parametrize("program", STRUCTURES)
def test_what_a_mail_program_marks_as_history_needs_no_language(program: str) -> None:
    html = STRUCTURES[program]
    body = split(html=html)
    assert to_text(body.html) == body.text == "New."
    assert "The question." in body.history
    assert "Yours, Bob" in to_text(body.html_history)
    assert words(f"{body.text} {body.history}") == words(to_text(html))


def test_outlook_for_windows_is_known_by_its_header_block() -> None:
    html = (
        "<div class=WordSection1><p class=MsoNormal>New.</p><div style='border:none;border-top:"
        "solid #E1E1E1 1.0pt'><p><b>Von:</b> Bob &lt;b@x.example&gt;<br><b>Gesendet:</b> Montag<br>"
        f"<b>An:</b> Alice<br><b>Betreff:</b> Order</p></div>{OLD}</div>"
    )
    body = split(html=html)
    assert to_text(body.html) == body.text == "New."


def test_answers_between_the_lines_keep_what_they_answer() -> None:
    text = f"{INTROS['en']}\n> One?\nYes.\n> Two?\nNo.\n"
    assert split(text).text == "> One?\nYes.\n> Two?\nNo."
    html = (
        f"<div class=gmail_quote><div class=gmail_attr>{INTRO}</div><blockquote class=gmail_quote>"
        "One?</blockquote><div>Yes.</div><blockquote class=gmail_quote>Two?</blockquote>"
        "<div>No.</div></div>"
    )
    assert [line.strip() for line in split(html=html).text.split("\n") if line.strip()] == [
        "One?", "Yes.", "Two?", "No.",
    ]  # fmt: skip


def test_an_answer_below_the_quote_is_what_is_new() -> None:
    assert split(f"{INTROS['en']}\n> One?\n> Two?\n\nYes.\n").text == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "He wrote:\nI paid 20 euros on Monday.",
        "On Monday I will write:\nnothing.",
        "The log says:\n----------\nfrom: here\nerror 5 at 10:00\nand more\nand more\nlast line",
        "> nothing but a quote",
        "From: Bob\nis where I got it.",
        "Steps:\n\n---\n\n1. do this\n2. do that\n\n***\n\nThat is all of it, I hope it helps you.",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "mysql> select 1;\nmysql> select 2;",
        "Best regards,\nCarla",
        "Where is my order?\n--\nIs it lost?",
        "Please send it to my new home.\n\nSent from the old house, by mistake. Can you help?",
        "Our terms say this e-mail is confidential. Is that so?",
    ],
)
def test_what_only_looks_like_history_is_shown(text: str) -> None:
    assert split(text).text == text


@pytest.mark.parametrize(
    "tail",
    [
        "-- \nAlice Doe\nAcme Inc.\n+1 555 0100",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "iPhoneから送信",
        "Get Outlook for Android<https://aka.ms/x>",
        "This e-mail and any attachments are confidential and for the intended recipient only.",
        "________________\nAlice Doe\nAcme",
    ],
)
def test_a_signature_is_folded_and_kept(tail: str) -> None:
    body = split(f"Yes please.\n\n{tail}\n")
    assert (body.text, body.history) == ("Yes please.", tail)
    assert split(tail).text == tail


PIECES = st.sampled_from(
    ["talk", "> quote", "", "-- ", "---", "From: a", "To: b", "Subject: c", "Sent: d", INTROS["en"],
     "Sent from my iPhone", "```", "| x", "-----Original Message-----", "wrote:", "> > deep",
     "---------- Forwarded message ----------", "On 1.1.2024 13:00", "______"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=30))
def test_what_is_shown_and_what_is_folded_make_the_whole(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    body = split(text)
    assert words(f"{body.text}\n{body.history}") == words(text)
    assert body.text.strip() or not text.strip()
    html = "".join(f"<div>{piece.replace('>', '&gt;')}</div>" for piece in pieces)
    shown = split(html=html)
    assert words(f"{to_text(shown.html)}\n{to_text(shown.html_history)}") == words(to_text(html))


def test_a_text_that_says_more_than_its_html_keeps_its_words() -> None:
    html = "<p>Yes.</p><blockquote type=cite>Shall we?</blockquote>"
    body = split("Yes.\n\nThe code is 4711.\n\nShall we?", html)
    assert "4711" in body.text
    same = split("Yes.\n\nShall we?", html)
    assert (same.text, same.history) == ("Yes.", "Shall we?")


SHAPES = ["> a\n", "On 1.1.2024 x wrote:\n", "-----\n", "From: x\n", ">" * 50, "--\nx\n", "a\n\n",
          "From: x\nTo: y\nSubject: z\n", "```\n", "a" * 300 + "\n", "On 1.1.2024 13:00 a <\n",
          "On x\n> a\n", "\xa0" * 10 + "x", "\u3000 \t"]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_T18_folding_takes_linear_time(shape: str) -> None:
    def seconds(size: int) -> float:
        text = (shape * (size // len(shape) + 1))[:size]
        gc.collect()
        gc.disable()  # as in the process that reads mail
        try:
            began = time.process_time()
            split(text)
            return time.process_time() - began
        finally:
            gc.enable()

    seconds(1000)
    small, large = min(seconds(70_000) for _ in range(3)), min(seconds(280_000) for _ in range(2))
    assert large < 2
    assert large < small * 4 * 2.5
    assert seconds(1_000_000) < 2


CORPUS = Path(os.environ.get("MAIL_CORPUS", "/nonexistent"))


@pytest.mark.corpus
@pytest.mark.skipif(not (CORPUS / "reply-trimmer").exists(), reason="not in this MAIL_CORPUS")
def test_most_replies_of_the_corpus_are_trimmed_as_another_project_trims_them() -> None:
    exact = 0
    for path in sorted((CORPUS / "reply-trimmer/emails").iterdir()):
        text = path.read_text().replace("\r\n", "\n")
        body = split(text)
        assert words(f"{body.text}\n{body.history}") == words(text), path.name
        wanted = (CORPUS / "reply-trimmer/trimmed" / path.name).read_text()
        exact += body.text.split() == wanted.split()
    assert exact >= 60


@pytest.mark.corpus
@pytest.mark.skipif(not (CORPUS / "talon").exists(), reason="not in this MAIL_CORPUS")
def test_the_corpus_of_html_replies_is_trimmed() -> None:
    for path in sorted((CORPUS / "talon").glob("html_replies_*.html")):
        body = split(html=path.read_text(errors="replace"))
        assert body.text.split() == ["Hi.", "I", "am", "fine.", "Thanks,", "Alex"], path.name
        assert to_text(body.html).split() == body.text.split(), path.name


INTRO = "On 3 Feb 2026, at 9:14, Acme Support wrote:\n\n> Which port does it use?\n"
NOW = [
    "On our server we tried this one:\n\n     nc -vz 192.0.2.15 9100\n\nNobody listens there.",
    "Wir haben es um 10:30 versucht.\n\nAm Montag kommt der Techniker.",
    "On Monday at 10:30 it went dark.",
    "2 displays are dark since 2026-01-02\nand 3 are not",
    "Please call +49 30 1234 at 10:30\nor write to dora@customer.example",
    "Ihr Kollege Bob <bob@acme.example> schrieb um 9:00, ich soll warten.\nSoll ich?",
    "では、明日 15:30 に伺います。\n\n受付でお名前をお伝えします。",
    "Hi,\n\nwe have three problems\n--\n1. display dark\n2. no sound\n--\nCall me back tomorrow.",
    "One thing:\n--\nThe bill of March is wrong.\n--\nThe display is dark since Monday.",
    "From my phone I see nothing.",
    "I ran this:\nmysql> select 1;\n1",
]


@pytest.mark.parametrize("now", NOW)
@pytest.mark.parametrize("gap", ["\n\n", "\n"])
def test_no_line_that_the_author_wrote_now_is_folded(now: str, gap: str) -> None:
    body = split(f"{now}{gap}{INTRO}")
    assert body.text.split() == now.split()
    assert "Which port" in body.history


@pytest.mark.parametrize("text", [
    "Here is the log:\n\n> start\n> error 17\n> stop",
    "Can you take this? Bob\n\nFrom: Carla <carla@yahoo.example>\nSent: Thursday, November 26, 2026"
    " 9:00 AM\nTo: Bob <bob@acme.example>\nSubject: Dark display\n\nMy display is dark.",
    f"See what your colleague said.\n\n{INTRO}",
    "Good morning\n\nAm 3.2.2026 um 9:14 schrieb Carla <carla@customer.example>:\n> dark",
])  # fmt: skip
def test_a_first_mail_has_no_history(text: str) -> None:
    body = split(text, subject="Dark display")
    assert (body.text.split(), body.history) == (text.split(), "")
    assert split(text).history


def test_the_lines_of_an_intro_stand_together() -> None:
    for wrapped in (
        "On Mon, Jan 1, 2024 at 1:00 PM Bob\n<bob@x.example> wrote:",
        "On Mon, Jan 1, 2024 at 1:00 PM Bob from the very long named department\n"
        "of Acme <bob@x.example>\nwrote:",
        "On Thu, 31 Mar 2016 at 11:16 Some One\n\n<\nmailto:some.one@x.example\n> wrote:",
    ):
        assert split(f"Yes.\n\n{wrapped}\n\n> No?").text == "Yes."
