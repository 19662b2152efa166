"""Questions to name servers, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for."""

    name: str
    type: Literal["TXT", "MX"] = "TXT"


@dataclass(frozen=True, slots=True)
class Records:
    """The answer to a question."""

    values: tuple[str, ...] = ()
    exists: bool = True
    """Whether there is anything under the name; a name without records may have some below."""
