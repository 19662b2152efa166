"""Normalise words for search: without case and accents, East Asian text by character."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 30_000
"""Maximum characters of a text that can be searched."""
MAX_TERMS = 12
EAST_ASIAN = re.compile("([\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])")
WORD = re.compile(r"\w+")
QUERY = re.compile(r'"([^"]*)"|(\S+)')


def fold(text: str) -> str:
    """The normalised words of a text with single blanks between, as stored and searched: `Müller`
    becomes `muller`, and each East Asian character is a word, because they have no blanks."""
    apart = EAST_ASIAN.sub(r" \1 ", text[:LONGEST].replace("_", " "))
    plain = unicodedata.normalize("NFKD", apart.replace("ß", "ss")).casefold()
    return " ".join(
        WORD.findall("".join(each for each in plain if not unicodedata.combining(each)))
    )


def terms(query: str) -> list[list[str]]:
    """The terms of a query, all of which must be found: each is a word, or the words of a quoted
    phrase. Empty if the query has no words."""
    found = [fold(quoted or plain).split() for quoted, plain in QUERY.findall(query)]
    return [words[:20] for words in found if words][:MAX_TERMS]


def excerpt(text: str, wanted: Sequence[Sequence[str]], length: int = 140) -> str:
    """About `length` characters of a text around the first word of `wanted`."""
    words = {word for phrase in wanted for word in phrase}
    line, at = " ".join(text.split()), 0
    for match in re.finditer(r"\S+", line):
        if any(part.startswith(tuple(words)) for part in fold(match[0]).split()):
            at = match.start()
            break
    begin = max(0, at - length // 3)
    begin = line.rfind(" ", 0, begin) + 1 if begin else 0
    cut = line[begin : begin + length]
    return f"{'… ' if begin else ''}{cut}{' …' if begin + length < len(line) else ''}"
