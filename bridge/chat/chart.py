"""A bar chart of received and answered mails by day."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 84, 52
CAME, WENT, INK, LINES = "#0b6bcb", "#e08a1e", "#1d2129", "#dde1e6"
STEPS = 4


@dataclass(frozen=True, slots=True)
class Day:
    """One day: its name, and the numbers of received and answered mails."""

    name: str
    received: int
    answered: int


def draw(title: str, days: Sequence[Day]) -> bytes:
    """A PNG with two bars for each day."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "#ffffff")
    pen = ImageDraw.Draw(picture)
    pen.text((LEFT, 20), title, font=_font(22), fill=INK)
    _legend(pen)
    top = _ceiling(max((max(each.received, each.answered) for each in days), default=0))
    height, base = HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM
    for step in range(STEPS + 1):
        y = base - height * step / STEPS
        pen.line((LEFT, y, WIDTH - RIGHT, y), fill=LINES)
        pen.text(
            (LEFT - 10, y),
            str(top * step // STEPS),
            font=_font(14),
            fill=INK,
            anchor="rm",
        )
    room = (WIDTH - LEFT - RIGHT) / max(1, len(days))
    bar, every = room * 0.36, -(-len(days) // 15)
    for number, day in enumerate(days):
        middle = LEFT + room * (number + 0.5)
        for count, shade, begin in (
            (day.received, CAME, middle - bar),
            (day.answered, WENT, middle),
        ):
            if count:
                pen.rectangle(
                    (begin, base - max(2, height * count / top), begin + bar - 1, base), fill=shade
                )
        if number % every == 0:
            pen.text((middle, base + 12), day.name, font=_font(14), fill=INK, anchor="mt")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _legend(pen: ImageDraw.ImageDraw) -> None:
    x = LEFT
    for text, shade in (("received", CAME), ("answered", WENT)):
        pen.rectangle((x, 56, x + 14, 70), fill=shade)
        pen.text((x + 22, 63), text, font=_font(15), fill=INK, anchor="lm")
        x += 120


def _ceiling(highest: int) -> int:
    """The smallest round number from `highest` up that STEPS divides."""
    size = STEPS
    while size < highest:
        size = size * 2 if str(size)[0] in "124" else size * 5 // 4
        size += -size % STEPS
    return size
