"""A line of a mail and the kinds of lines."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

LOOK = 400
"""Maximum characters of a line that are read."""


class Kind(Enum):
    BLANK = auto()
    TEXT = auto()
    QUOTE = auto()
    CITED = auto()
    """May be a quote in an unusual style; counts as a quote only after an intro."""
    INTRO = auto()
    """“On Monday Alice wrote:”"""
    HISTORY = auto()
    """Header block of an older mail: From, Sent, To, Subject, or the rule above them."""
    FORWARD = auto()
    """Header block of a forwarded mail."""
    RULE = auto()
    """A line of only dashes, underscores or stars."""
    SIGNATURE = auto()
    DEVICE = auto()
    """“Sent from my iPhone”"""
    DISCLAIMER = auto()


class Line(NamedTuple):
    """A line's text, and its kind if the HTML markup tells it."""

    text: str
    hint: Kind | None = None
