"""Words as a search compares them: without case and accents, East Asian text by the character."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 30_000
"""Characters of a text that are searched."""
MAX_TERMS = 12
EAST_ASIAN = re.compile("([\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])")
WORD = re.compile(r"\w+")
QUERY = re.compile(r'"([^"]*)"|(\S+)')


def fold(text: str) -> str:
    """The words of a text with one blank between, as they are stored and looked for: `Müller` and
    `muller` are one, and each East Asian character is a word, for nothing parts them."""
    apart = EAST_ASIAN.sub(r" \1 ", text[:LONGEST].replace("_", " "))
    plain = unicodedata.normalize("NFKD", apart.replace("ß", "ss")).casefold()
    return " ".join(
        WORD.findall("".join(each for each in plain if not unicodedata.combining(each)))
    )


def terms(query: str) -> list[list[str]]:
    """What a query looks for: each a word, or the words of a phrase; all must be found. Empty where
    it names none."""
    found = [fold(quoted or plain).split() for quoted, plain in QUERY.findall(query)]
    return [words[:20] for words in found if words][:MAX_TERMS]


def excerpt(text: str, wanted: Sequence[Sequence[str]], length: int = 140) -> str:
    """The part of a text around the first word that was looked for."""
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
