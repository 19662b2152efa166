"""One step of the walk-through of `!inbox add`: its question, and what its answer does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.config.inbox_form import Values


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the admin about one key."""

    key: str
    text: str
    more: str
    """What `?` explains."""
    suggestion: str = ""
    """The value used if the admin answers `ok`."""
    choices: tuple[str, ...] = ()
    """The only answers besides that; empty for any."""


NO_OAUTH: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of an inbox that is being set up."""

    values: Mapping[str, Any]
    secrets: Mapping[str, str]
    """Encrypted."""
    oauth: Mapping[str, str]
    """The provider (google, microsoft, other) of each client in `oauth` of config.yaml."""


@dataclass(frozen=True, slots=True)
class Step:
    """One key that an inbox needs: its question, and how the answer is stored."""

    key: str
    ask: Callable[[Draft], Question | None]
    """The question; None if it is answered already."""
    take: Callable[[Values, str], Values]
    """The values with the answer. Raises Refused with the fault if it has to be asked again."""
    undo: Callable[[Values], Values] | None = None
    """The values without the answer; None for a step that `back` does not reach."""
    drops: tuple[str, ...] = ()
    """The secrets that go with it."""
