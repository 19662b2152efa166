"""Words as the search compares them."""

from __future__ import annotations

import unicodedata

import pytest

from bridge.mail.search import excerpt, fold, terms


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Müller, STRASSE", "muller strasse"), ("Straße", "strasse"),
     ("don't e-mail_me", "don t e mail me"),
     ("返金 please", "返 金 please"), ("İstanbul ﬁne", "istanbul fine"), ("", ""),
     ("서울", unicodedata.normalize("NFKD", "서 울")),
     ("a\0b", "a b"), ("№ 4711/2", "no 4711 2")],
)  # fmt: skip
def test_words_are_stored_without_case_and_accents(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_query_is_words_and_phrases() -> None:
    assert terms('Refund "Dark  Display" 返金 !? ""') == [
        ["refund"], ["dark", "display"], ["返", "金"]
    ]  # fmt: skip
    assert terms("' OR 1=1 --") == [["or"], ["1", "1"]]
    assert terms("!!! ()") == []


def test_an_excerpt_shows_the_word_with_what_stands_around_it() -> None:
    text = "word " * 100 + "Müller wrote this. " + "more " * 100
    shown = excerpt(text, [["mull"]])
    assert "Müller wrote this." in shown
    assert shown.startswith("… word") and shown.endswith(" …")
    assert excerpt("short", [["x"]]) == "short"
