"""Pictures of people: their initials, legible on every colour."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bridge.chat.initials import COLOURS, SIZE, colour, draw, letters
from bridge.model import Address


@pytest.mark.parametrize(
    ("name", "spec", "drawn"),
    [("Alice Doe", "a@x.example", "AD"), ("Doe, Alice", "a@x.example", "AD"),
     ("alice", "a@x.example", "A"), ("", "alice@x.example", "A"), ("Ann Mae van Doe", "x@y", "AD"),
     ("山田 太郎", "yamada@x.example", "Y"), ("\u202eAlice", "b@x.example", "B"),
     ("Éva (Sales)", "e@x.example", "É"), ("!!!", "_7@x.example", "7"), ("", "山@山", "@")],
)  # fmt: skip
def test_initials_are_what_the_font_can_draw(name: str, spec: str, drawn: str) -> None:
    assert letters(Address(spec, name)) == drawn


def test_a_picture_is_a_small_png_with_white_letters_on_its_colour() -> None:
    data = draw("AD", COLOURS[0])
    picture = Image.open(io.BytesIO(data))
    assert picture.size == (SIZE, SIZE)
    shown = {shade for _, shade in picture.getcolors(10_000) or []}
    assert (255, 255, 255) in shown
    assert tuple(bytes.fromhex(COLOURS[0][1:])) in shown
    assert len(data) < 5_000


def test_every_colour_lets_white_letters_be_read() -> None:
    def luminance(shade: str) -> float:
        parts = [each / 255 for each in bytes.fromhex(shade[1:])]
        red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
                            for c in parts)  # fmt: skip
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert all(1.05 / (luminance(shade) + 0.05) >= 4.5 for shade in COLOURS)
    assert colour("a@x.example") == colour("a@x.example") in COLOURS
