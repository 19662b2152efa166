"""Standard responses: variables, fallbacks, and how people are called."""

from __future__ import annotations

import pytest

from bridge.mail.snippet import fill, first_name, unknown
from bridge.model import Address


@pytest.mark.parametrize(
    ("text", "values", "filled", "missing"),
    [
        ("Hello {first_name},", {"first_name": "Alice"}, "Hello Alice,", ()),
        ("Hello {first_name|there},", {}, "Hello there,", ()),
        ("Hello {first_name|there},", {"first_name": "Alice"}, "Hello Alice,", ()),
        ("Hello {first_name},", {}, "Hello,", ("first_name",)),
        ("Hello {first_name|}!", {}, "Hello!", ()),
        ("{number}: {subject} {number}", {"number": "#7"}, "#7:  #7", ("subject",)),
        ("{first_name} {first_name}", {}, " ", ("first_name",)),
        ("{agent} of {inbox}", {"agent": "Bob", "inbox": "Support"}, "Bob of Support", ()),
        ("{unknown} {Name} {{name}}", {"name": "Al"}, "{unknown} {Name} {Al}", ()),
        ("Bonjour {name} ! Voici : {number}", {"name": "X"}, "Bonjour X ! Voici : ", ("number",)),
        # a name is no template, and no second line
        ("Hello {name}", {"name": "{address}\r\nBcc: x"}, "Hello {address} Bcc: x", ()),
    ],
)
def test_variables_are_filled_and_gaps_are_named(
    text: str, values: dict[str, str], filled: str, missing: tuple[str, ...]
) -> None:
    found = fill(text, values)
    assert (found.text, found.missing) == (filled, missing)


def test_what_looks_like_a_variable_and_is_none_is_found() -> None:
    assert unknown("Hello {firstname}, {first_name|x} {A b}") == ["firstname"]


@pytest.mark.parametrize(
    ("name", "first"),
    [("Alice Doe", "Alice"), ("Doe, Alice", "Alice"), ("Dr. Alice Doe", "Alice"),
     ("Alice", "Alice"), ("Prof. Dr. Ann-Kathrin Doe", "Ann-Kathrin"), ("", ""),
     ("alice@example.com", ""),
     ("ACME GMBH", ""), ("Team 24", ""), ("Doe,", "Doe"), ("Dr.", ""), ("José Pérez", "José"),
     ("山田 太郎", "山田")],
)  # fmt: skip
def test_people_are_called_by_their_first_name_where_one_is_known(name: str, first: str) -> None:
    assert first_name(Address("x@example.com", name)) == first
