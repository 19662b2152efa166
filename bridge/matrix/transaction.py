"""Parses the body of a push so that one malformed event does not affect the others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
LONGEST_NUMBER = 20
"""Most digits of an integer that is read, others become None; Python raises ValueError for those
with thousands of digits."""


def read(body: bytes) -> dict[str, Any]:
    """The JSON object of a body: `events`, `ephemeral` and other keys.

    Where the body cannot be parsed as a whole, because one event is nested too deeply or has an
    invalid number, the events are parsed one by one, and of the bad one only its top-level strings.
    Raises ValueError for a body without a list of events.
    """
    text = body.decode("utf-8", "replace")
    try:
        found = loads(text)
    except (ValueError, RecursionError):
        found = {"events": [_guarded(each) for each in _elements(text)]}
    if not isinstance(found, dict) or not isinstance(found.get("events"), list):
        raise ValueError("the body holds no list of events")
    return found


def loads(text: str) -> Any:
    """Parse JSON from a homeserver. Raises ValueError, or RecursionError if nested too deeply."""
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= LONGEST_NUMBER else None


def _guarded(text: str) -> Any:
    """Parse one event; where that fails, only its top-level strings, among them its id."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return dict(_string_pairs(text))


def _string_pairs(text: str) -> Iterator[tuple[str, str]]:
    """The (key, value) pairs of an object whose value is a string, at the top level only."""
    depth, name = 0, ""
    for token in TOKENS.finditer(text):
        sign = token[0]
        if sign[0] != '"':
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(sign, 0)
            name = ""
        elif depth == 1 and name:
            yield str(loads(name)), str(loads(sign))
        elif depth == 1:
            name = sign


def _elements(text: str) -> Iterator[str]:
    """The JSON text of each element in the list `events` of an object. Raises ValueError where
    there is no such list."""
    depth = begin = 0
    name = ""
    for token in TOKENS.finditer(text):
        sign = token[0]
        if sign[0] == '"':
            name = sign if depth == 1 else name
        elif sign in "[{":
            depth += 1
            if depth == 2 and name == '"events"' and sign == "[":
                begin = token.end()
        elif sign in "]}":
            depth -= 1
            if begin and depth == 1:
                if text[begin : token.start()].strip():
                    yield text[begin : token.start()]
                return
        elif begin and depth == 2:
            yield text[begin : token.start()]
            begin = token.end()
    raise ValueError("the body holds no list of events")
