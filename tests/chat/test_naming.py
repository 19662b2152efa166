"""Names in place of Matrix ids, in what the bridge writes."""

from __future__ import annotations

import pytest

from bridge.chat import naming, render
from bridge.model import Mxid

BOB, ALICE = Mxid("@bob:hs.example"), Mxid("@alice:hs.example")
NAMES = {BOB: "Bob <Doe> & Co", ALICE: "Alice"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"taken by {ALICE}", "taken by Alice"),
        (f"{ALICE} took this conversation from {BOB}.", "Alice took this conversation from Bob"
         " <Doe> & Co."),
        (f"agents are {ALICE}, {BOB}.", "agents are Alice, Bob <Doe> & Co."),
        (f"({ALICE}): {ALICE}: yes", "(Alice): Alice: yes"),
        ("@carol:hs.example stays", "@carol:hs.example stays"),
        ("mail bob@hs.example, @bob:hs.example.org", "mail bob@hs.example, @bob:hs.example.org"),
        (f"https://matrix.to/#/{ALICE}", f"https://matrix.to/#/{ALICE}"),
    ],
)  # fmt: skip
def test_ids_become_names(text: str, shown: str) -> None:
    assert naming.named(render.notice(text), NAMES)["body"] == shown


def test_who_is_mentioned_is_a_pill_and_others_are_not() -> None:
    content = render.text_message(f"{ALICE} & {BOB}")
    content["m.mentions"] = {"user_ids": [BOB]}
    shown = naming.named(content, NAMES)
    assert shown["body"] == "Alice & Bob <Doe> & Co"
    assert shown["formatted_body"] == (
        f'Alice &amp; <a href="https://matrix.to/#/{BOB}">Bob &lt;Doe&gt; &amp; Co</a>'
    )
    assert "formatted_body" not in naming.named(render.text_message(f"{ALICE}"), NAMES)


def test_names_in_html_are_escaped_and_links_stay() -> None:
    content = render.text_message("x", f'<em>{BOB}</em> <a href="https://matrix.to/#/{BOB}">x</a>')
    shown = naming.named(content, NAMES)["formatted_body"]
    assert shown == (f'<em>Bob &lt;Doe&gt; &amp; Co</em> <a href="https://matrix.to/#/{BOB}">x</a>')


def test_nothing_inside_a_tag_or_a_link_is_changed() -> None:
    begins = f'<a href="https://e.example/?u={ALICE}">'
    content = render.text_message(
        f"https://e.example/?u={ALICE}&by={ALICE}", f"{begins}{ALICE}</a>"
    )
    shown = naming.named(content, {ALICE: 'B" onmouseover="x'})
    assert shown["body"] == content["body"]
    assert shown["formatted_body"].startswith(begins)
    assert "<" not in shown["formatted_body"][len(begins) : -4]


def test_admins_see_both() -> None:
    shown = naming.named(render.notice(f"{ALICE} is no agent"), NAMES, with_ids=True)
    assert shown["body"] == f"Alice ({ALICE}) is no agent"


def test_a_name_is_one_line_and_no_longer_than_64() -> None:
    shown = naming.named(render.notice(f"by {ALICE}"), {ALICE: "A\nB\u202e" + "x" * 200})["body"]
    assert "\n" not in shown
    assert len(shown) < 80


def test_topics_have_names_too() -> None:
    assert naming.named({"topic": f"open · {ALICE}"}, NAMES) == {"topic": "open · Alice"}


def test_an_id_at_the_end_of_a_sentence_is_found() -> None:
    assert naming.ids_in(render.notice(f"Ask {ALICE}.")) == [ALICE]
