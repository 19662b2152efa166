"""Helpers that write SQL from the states defined in `model`, so that SQL does not repeat them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


def listed(values: Iterable[StrEnum]) -> str:
    """A list for SQL's IN, like `'sent', 'bounced'`. Only for our own values: nothing is quoted."""
    return ", ".join(f"'{value}'" for value in values)


def contains(text: str) -> str:
    """An SQL condition that a text contains a value, which is put in place of {}. Not LIKE: that
    treats _ and % specially, and in SQLite ignores case."""
    return f"REPLACE({text}, {{}}, '') <> {text}"
