"""Decide which lines of a mail are folded as history; used for plain text and for HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bridge.mail.line import Kind, Line
from bridge.mail.lines import kinds

HEADS = (Kind.INTRO, Kind.HISTORY, Kind.FORWARD)
QUOTES = (Kind.QUOTE, Kind.CITED)
TAIL = (Kind.BLANK, Kind.RULE, Kind.SIGNATURE, Kind.DEVICE, Kind.DISCLAIMER)


class Folding(NamedTuple):
    """What of a mail's lines is folded."""

    hidden: list[bool]
    """For each line, whether it is folded."""
    only_signature: bool
    """Whether what is folded is a signature, with nothing of earlier mails."""


def fold(lines: Sequence[Line], *, forwarded: bool = False, first: bool = False) -> Folding:
    """Decide what is folded: history, quotes at the end, signatures.

    Quoted lines stay visible if answers are written between them. A forwarded mail is not history.
    The `first` mail of a thread has no history: what looks so is forwarded, or pasted by its
    author. If nothing would be left to read, nothing is folded.
    """
    found = kinds(lines)
    if first:
        found = [Kind.TEXT if kind in (*HEADS, *QUOTES) else kind for kind in found]
    folded = [False] * len(found)
    end = _history(found, folded, forwarded=forwarded)
    _tail(found, folded, end)
    if not any(kind not in TAIL and not hidden for kind, hidden in zip(found, folded, strict=True)):
        return Folding([False] * len(found), False)
    kinds_folded = [kind for kind, hidden in zip(found, folded, strict=True) if hidden]
    return Folding(folded, all(kind in TAIL for kind in kinds_folded))


def _history(found: list[Kind], folded: list[bool], *, forwarded: bool) -> int:
    """Fold older mails. Returns the index at which the visible text ends; `_tail` folds the lines
    before it."""
    said = False
    last_text = max((k for k, kind in enumerate(found) if kind is Kind.TEXT), default=-1)
    last_quote = max((k for k, kind in enumerate(found) if kind in QUOTES), default=-1)
    i = 0
    while i < len(found):
        kind = found[i]
        said = said or kind is Kind.TEXT
        if kind not in HEADS:
            i += 1
            continue
        if kind is Kind.FORWARD or (kind is Kind.HISTORY and (forwarded or not said)):
            return i
        body = _skip(found, i, (kind, Kind.BLANK))
        quote_end = _skip(found, body, (*QUOTES, Kind.BLANK)) if body < len(found) else body
        if quote_end == body or found[body] not in QUOTES:
            if said:
                folded[i:] = [True] * (len(found) - i)
                return i
            folded[i:body] = [True] * (body - i)
        elif last_text < quote_end:
            if said:
                folded[i:] = [True] * (len(found) - i)
            return i
        elif said or last_quote >= quote_end:
            folded[i:body] = [True] * (body - i)
        else:
            folded[i:quote_end] = [True] * (quote_end - i)
        i = max(body, i + 1)
    return len(found)


def _skip(found: list[Kind], i: int, what: tuple[Kind, ...]) -> int:
    while i < len(found) and found[i] in what:
        i += 1
    return i


def _tail(found: list[Kind], folded: list[bool], end: int) -> None:
    """Fold the quotes and signatures at the end of the visible text, upwards from `end`."""
    for i in range(end - 1, -1, -1):
        if found[i] is Kind.BLANK:
            folded[i] = i + 1 < len(found) and folded[i + 1]
        elif found[i] is Kind.QUOTE or found[i] in TAIL:
            folded[i] = True
        elif not folded[i]:
            return
