"""The lines of a card say what a mail is about."""

from __future__ import annotations

import time

import pytest

from bridge.chat.preview import preview_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello,\n\nmy display stays dark.", "my display stays dark."),
        ("Dear Sir or Madam,\nplease", "please"),
        ("Sehr geehrte Damen und Herren,\n\nleider", "leider"),
        ("Hi\nthere is a fault", "there is a fault"),
        ("Hello Bob\nthe lamp", "the lamp"),
        ("Hello, my display stays dark.", "Hello, my display stays dark."),
        ("Hi, my display is dark!\nCarla", "Hi, my display is dark!\nCarla"),
        ("Hi Bob?\nAre you there", "Hi Bob?\nAre you there"),
        ("Hidden costs,\nagain", "Hidden costs,\nagain"),
        ("Hello", "Hello"),
        ("Hello,\nHi,", "Hi,"),
        ("[picture: logo.png]\n———\n\nYour   order\t12", "Your order 12"),
        ("See [picture: a.png] here", "See here"),
        ("a\n\nb\nc\nd", "a\nb\nc"),
        ("Item       Price\nDisplay 2  120 €\nThanks", "Item · Price\nDisplay 2 · 120 €\nThanks"),
        ("x" * 300, "x" * 279 + "…"),
        ("", ""),
        ("\n[picture]\n", ""),
    ],
)
def test_greetings_and_decoration_are_left_out(text: str, shown: str) -> None:
    assert preview_of(text) == shown


def test_a_very_long_mail_takes_no_time() -> None:
    began = time.process_time()
    assert preview_of("Hi\n" * 660_000) == "Hi"
    assert time.process_time() - began < 1
