"""Values of ours as SQL writes them: the sets of states stand in `model`, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


def listed(values: Iterable[StrEnum]) -> str:
    """`'sent', 'bounced'`: for IN. Names of ours alone, which need no quoting."""
    return ", ".join(f"'{value}'" for value in values)


def contains(text: str) -> str:
    """Whether a text holds a value, which takes the place of {}. LIKE would read _ and % in it, and
    SQLite's knows no case."""
    return f"REPLACE({text}, {{}}, '') <> {text}"
