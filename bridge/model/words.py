"""Grammar of tags and numbers, shared by commands, rules and settings."""

from __future__ import annotations

import re

LONGEST_TAG = 40
TAG_RULE = f"use letters, digits and -, at most {LONGEST_TAG} characters"
"""Hint for a person whose tag is not valid."""
TAG = re.compile(rf"[^\W_](?:[^\W_]|-){{0,{LONGEST_TAG - 1}}}")
NUMBER = re.compile("#?([0-9]{1,15})")


def tag(text: str) -> str | None:
    """The case-folded tag; None if `text` is not one (letters, digits and -)."""
    folded = text.casefold()
    return folded if TAG.fullmatch(folded) else None


def number(text: str) -> int | None:
    """A number as people write it, with or without #; None if `text` is not one."""
    found = NUMBER.fullmatch(text.strip())
    return int(found[1]) if found else None
