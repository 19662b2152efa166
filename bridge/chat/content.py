"""Read JSON from clients and homeservers without trusting its types or characters."""

from __future__ import annotations

import math
from typing import Any, TypeGuard


def object_at(value: Any, *path: str) -> dict[str, Any]:
    """The JSON object at `path`; empty if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def cleaned(value: Any) -> Any:
    """JSON without values that databases and mails cannot store: NUL is removed, a lone surrogate
    becomes U+FFFD, NaN and infinity become null. Raises RecursionError."""
    match value:
        case str():
            return value if storable(value) else _without_unstorable(value)
        case dict():
            return {cleaned(key): cleaned(each) for key, each in value.items()}
        case list():
            return [cleaned(each) for each in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def storable(text: str) -> bool:
    """Whether a text has no NUL, which PostgreSQL refuses, and no lone surrogate."""
    return "\0" not in text and text.encode("utf-8", "ignore").decode() == text


def _without_unstorable(text: str) -> str:
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_moment(at: Any) -> TypeGuard[int]:
    """Whether `at` is a time in milliseconds: an integer from 0 to 2^53-1 (Matrix appendix 3.1)."""
    return isinstance(at, int) and not isinstance(at, bool) and 0 <= at < 2**53
