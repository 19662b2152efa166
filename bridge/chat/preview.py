"""The first lines of a mail for its card: what it is about, without greetings and decoration."""

from __future__ import annotations

import re

from bridge.mail.languages import GREETINGS

LINES, LONGEST = 3, 280
LOOK = 20_000
"""Characters of a mail that are looked through."""
PICTURE = re.compile(r"\[picture(?:: [^\]]{0,200})?\]")
CELLS = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")
WORDS_OF_GREETING = 6
GREETING = re.compile(rf"(?:{'|'.join(map(re.escape, GREETINGS))})(?!\w)")


def preview_of(text: str) -> str:
    """At most three lines of a text, with at most 280 characters."""
    lines = _lines(PICTURE.sub(" ", text[:LOOK]).splitlines())
    said = [line for line in lines if any(map(str.isalnum, line))]
    first = next((i for i, line in enumerate(said) if not _is_greeting(line)), len(said) - 1)
    preview = "\n".join(said[max(first, 0) :][:LINES])
    return preview if len(preview) <= LONGEST else preview[: LONGEST - 1] + "…"


def _lines(lines: list[str]) -> list[str]:
    """Lines without the blanks that align them; rows of a table have dots between their cells."""
    rows = [[" ".join(cell.split()) for cell in CELLS.split(line.strip())] for line in lines]
    counts = [0, *map(len, rows), 0]
    return [
        (" · " if counts[n] in (counts[n - 1], counts[n + 1]) else " ").join(row)
        for n, row in enumerate(rows, 1)
    ]


def _is_greeting(line: str) -> bool:
    """Whether a line greets and says nothing else: “Dear Mr. Smith,”, “Hello”."""
    words = line.split()
    if len(words) > WORDS_OF_GREETING or GREETING.match(line.casefold()) is None:
        return False
    if len(words) <= 2:
        return not line.endswith(("?", "."))
    inside = line[:-1]
    return line[-1] in ",!:，！" and ("," not in inside or len(words) == 3)
