"""The one grammar of words that people write in commands, rules and settings."""

from __future__ import annotations

import re

LONGEST_TAG = 40
TAG = re.compile(rf"[^\W_](?:[^\W_]|-){{0,{LONGEST_TAG - 1}}}")
NUMBER = re.compile("#?([0-9]{1,15})")


def tag(text: str) -> str | None:
    """A tag as it is kept, case-folded; None for what is none: letters, digits and -."""
    folded = text.casefold()
    return folded if TAG.fullmatch(folded) else None


def number(text: str) -> int | None:
    """A number as people write it, with or without #; None for what is none."""
    found = NUMBER.fullmatch(text.strip())
    return int(found[1]) if found else None
