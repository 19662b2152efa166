"""The body of a push, taken apart so that one odd event in it spoils no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
LONGEST_NUMBER = 20
"""Digits of a number that can mean something; Python refuses to read those of thousands."""


def read(body: bytes) -> dict[str, Any]:
    """The object of a body: `events`, `ephemeral` and what else there is.

    Where it cannot be read as a whole, because one event is nested too deeply or holds a number
    that is none, its events are read one by one, and of that one only what tells which it is.
    Raises ValueError for what holds no list of events.
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
    """JSON as homeservers write it. Raises ValueError, or RecursionError."""
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= LONGEST_NUMBER else None


def _guarded(text: str) -> Any:
    """An event, or its own texts alone, among them its id, where the rest cannot be read."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return dict(_texts(text))


def _texts(text: str) -> Iterator[tuple[str, str]]:
    """The pairs of name and text of an object, without what is nested in it."""
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
    """The texts of the elements of the list `events` of an object. Raises ValueError where there
    is no such list."""
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
