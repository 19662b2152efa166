"""Mails read well in the client that shows the fewest tags: nothing runs together or is lost."""

from __future__ import annotations

import pytest

from bridge.chat import mail_event
from bridge.mail.html import TAGS, to_matrix, to_text
from bridge.mail.reading import read
from bridge.model import Content
from tests.clients import BLOCKS, INLINE, lines
from tests.mail.samples import SAMPLES


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<div>Hello,</div><div>the display</div>", ["Hello,", "the display"]),
        ("Hello,<div>the display<div>is dark</div></div>bye",
         ["Hello,", "the display", "is dark", "bye"]),
        ("<h1>Order</h1>Two lamps<h3>Sum</h3>12", ["Order", "Two lamps", "Sum", "12"]),
        ("a<br>b<br><br>c", ["a", "b", "c"]),
        ("<p>a</p><hr><p>b</p>", ["a", "———", "b"]),
        ("<table><tr><td>Display</td><td>2</td><td>120</td></tr>"
         "<tr><td>Lamp</td><td>1</td><td>12</td></tr></table>",
         ["Display · 2 · 120", "Lamp · 1 · 12"]),
        ("<table border=1><tr><th>What</th><th>How many</th><th>Sum</th></tr>"
         "<tr><td colspan=2>All</td><td>132</td></tr></table>",
         ["What · How many · Sum", "All · · 132"]),
        ("<table border=1><tr><td><p>One</p><p>two</p></td><td>a<br>b</td></tr></table>",
         ["One two · a b"]),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>d", ["• a", "• b", "• c", "d"]),
        ("<ol><li><p>a</p><p>b</p></li></ol>", ["•", "a", "b"]),
        ("<s>Monday</s> <span style='text-decoration:line-through'>Tuesday</span> <del>or</del> so",
         ["~~Monday~~ ~~Tuesday~~ ~~or~~ so"]),
        ("<b>a<div>b</div>c</b>", ["a", "b", "c"]),
        ("10 m<sup>2</sup>, H<sub>2</sub>O, 1<sup>st</sup>", ["10 m², H₂O, 1st"]),
        ("Features<li>a<li>b", ["Features", "• a", "• b"]),
        ("<dl><dt>Size<dd>12</dl>", ["Size", "12"]),
        ("<blockquote><div>a</div><div>b</div></blockquote>c", ["a", "b", "c"]),
        ("<pre>a\n  b</pre>c", ["a", "b", "c"]),
        ("before<img src='cid:x'>after", ["before", "[picture: lamp.png]", "after"]),
        ("Great <img src='https://x.example/1f600.png' alt='😀'> thanks", ["Great 😀 thanks"]),
        ("<a href='https://x.example'><div>one</div><div>two</div></a>", ["one two"]),
        ("<details><summary>More</summary>x</details>y", ["More", "x", "y"]),
    ],
)  # fmt: skip
def test_every_line_cell_and_word_stands_apart(html: str, shown: list[str]) -> None:
    found = lines(to_matrix(html, {"x": "lamp.png"}))
    assert [line for line in found if line != "•"] == [each for each in shown if each != "•"]


def test_no_tag_is_written_that_a_client_could_drop_with_a_break_in_it() -> None:
    assert TAGS - {"details", "summary"} == INLINE | BLOCKS


def test_what_is_struck_through_is_so_in_the_plain_text_too() -> None:
    assert to_text("<p>on <s>Monday</s> Tuesday</p>") == "on ~~Monday~~ Tuesday"


def shown(raw: bytes) -> Content:
    mail, body = read(raw)
    return mail_event.content(mail, body, ["👥 also to Bob"], None)[0]


def test_history_and_signature_are_folded_with_their_label_on_a_line_of_its_own() -> None:
    head = b"From: a@x.example\nSubject: Re: x\nContent-Type: text/html\n\n"
    earlier = shown(head + b"Yes.<div class='gmail_quote'><div class='gmail_attr'>On Monday, Bob "
                    b"&lt;b@x.example&gt; wrote:</div><blockquote>Shall we?")  # fmt: skip
    found = lines(earlier["formatted_body"])
    assert found[:3] == ["👥 also to Bob", "Yes.", "Earlier in this thread"]
    assert found[-1] == "Shall we?"
    assert "<details><summary>Earlier" in earlier["formatted_body"]
    signed = shown(head + b"Yes.<div class='gmail_signature'>Carla<br>Customer Ltd</div>")
    assert lines(signed["formatted_body"])[1:] == ["Yes.", "Signature", "Carla", "Customer Ltd"]
    plain = shown(b"From: a@x.example\n\nYes.\n\n-- \nCarla\n")
    assert lines(plain["formatted_body"])[1:4] == ["Yes.", "Signature", "--"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_shows_the_words_of_its_text(name: str) -> None:
    """In its own tags alone, as the poorest client drops those of the fold."""
    event = shown(SAMPLES[name])
    words = " ".join(lines(event.get("formatted_body", event["body"]))).split()
    whole = set(" ".join(line.lstrip("> ") for line in event["body"].splitlines()).split())
    missing = {word for word in whole - set(words) if any(map(str.isalnum, word))}
    assert len(missing) <= len(whole) // 4, sorted(missing)  # text/plain may say it otherwise


def test_a_long_link_over_many_lines_stays_short() -> None:
    html = f"<a href='https://x.example/{'y' * 2000}'>{'word<br>' * 400}</a>end"
    found = to_matrix(html)
    assert lines(found) == [*["word"] * 400, "end"]
    assert len(found) < 20_000
    assert len(to_matrix("<table><tr><td colspan=99>a<td>b<tr><th>c<td>d</table>")) < 200
