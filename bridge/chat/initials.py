"""Avatars of people and inboxes: initials on a coloured square."""

from __future__ import annotations

import hashlib
import io

from PIL import Image, ImageDraw, ImageFont

from bridge.model import Address

SIZE = 128
"""Width and height in pixels; clients show about 32."""
# Each colour is dark enough for white letters (WCAG 2.1, contrast 4.5:1).
COLOURS = ("#0b6bcb", "#a4243b", "#1f7a4d", "#7a3e9d", "#9a4b00", "#00707c", "#5b5f97", "#8a2f6b")


def letters(address: Address) -> str:
    """`AD` for “Alice Doe”, otherwise the first letter of the address that the font can draw."""
    name = address.name.partition("(")[0]
    last, comma, first = name.partition(",")
    words = (f"{first} {last}" if comma else name).split()
    found = [word[0].upper() for word in (*words[:1], *words[1:][-1:]) if _drawn(word[0])]
    if not found:
        found = [each.upper() for each in address.spec if _drawn(each)][:1]
    return "".join(found) or "@"


def _drawn(letter: str) -> bool:
    """Whether the font has the letter: it has only the Latin script."""
    return letter.isalnum() and ord(letter) < 0x180


def colour(seed: str) -> str:
    """The colour for a seed, always the same for the same seed."""
    return COLOURS[hashlib.sha256(seed.encode()).digest()[0] % len(COLOURS)]


def draw(text: str, background: str) -> bytes:
    """A PNG with the letters in the middle."""
    picture = Image.new("RGB", (SIZE, SIZE), background)
    font = ImageFont.load_default(size=SIZE * (0.5 if len(text) < 2 else 0.42))
    ImageDraw.Draw(picture).text((SIZE / 2, SIZE / 2), text, font=font, fill="#ffffff", anchor="mm")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
