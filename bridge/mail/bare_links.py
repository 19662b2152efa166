"""Makes links of the addresses that stand bare in the text of outgoing HTML."""

from __future__ import annotations

import html as entities
import re
import threading
from typing import Any

from linkify_it import LinkifyIt

TOKEN = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:[^<>\"]|\"[^\"]*\")*>|[^<]+|<")
"""A tag, or the text between two tags, of HTML that a serialiser wrote."""
LONG = re.compile(r"\S{2000}")
CLOSED_TO_LINKS = frozenset(("a", "code", "pre"))
HOST = re.compile(r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?:[/?#][^\s<>\"]*[\w/=&#%~+-])?")


class _Bounded(LinkifyIt):  # type: ignore[misc]  # it has no types
    """Leaves texts alone in which something is too long for an address: its patterns take quadratic
    time there."""

    def pretest(self, text: str) -> bool:
        return LONG.search(text) is None and bool(super().pretest(text))

    def test(self, text: str) -> bool:
        return LONG.search(text) is None and bool(super().test(text))

    def match(self, text: str) -> Any:
        return None if LONG.search(text) else super().match(text)


def _linkify() -> LinkifyIt:
    """Finds https://…, www.… and mail addresses; `readme.md` and `//comment` are no links."""
    made = _Bounded(options={"fuzzy_link": False, "fuzzy_email": True, "fuzzy_ip": False})
    made.add("//", None)
    made.add("www.", {"validate": _length_of_host, "normalize": _with_scheme})
    return made


def _length_of_host(linkify: LinkifyIt, text: str, pos: int) -> int:
    found = HOST.match(text, pos)
    return found.end() - pos if found is not None else 0


def _with_scheme(linkify: LinkifyIt, match: object) -> None:
    match.url = f"http://{match.url}"  # type: ignore[attr-defined]  # as linkify-it's docs say


class _PerThread(threading.local):
    """A LinkifyIt remembers the text it reads, so each thread has one of its own."""

    def __init__(self) -> None:
        self.linkify = _linkify()


_own = _PerThread()


def finder() -> LinkifyIt:
    """What finds bare addresses, for this thread alone."""
    return _own.linkify


def linked(html: str) -> str:
    """The HTML with its bare addresses as links. `html` is as a serialiser wrote it."""
    parts, closed = [], 0
    for token in TOKEN.finditer(html):
        if token[2]:
            if token[2].lower() in CLOSED_TO_LINKS:
                closed = max(0, closed - 1) if token[1] else closed + 1
            parts.append(token[0])
        else:
            parts.append(token[0] if closed else _linked_text(token[0]))
    return "".join(parts)


def _linked_text(escaped: str) -> str:
    text = entities.unescape(escaped)
    parts, end = [], 0
    for found in finder().match(text) or ():
        shown = entities.escape(text[found.index : found.last_index], quote=False)
        parts.append(entities.escape(text[end : found.index], quote=False))
        parts.append(f'<a href="{entities.escape(found.url)}">{shown}</a>')
        end = found.last_index
    return "".join((*parts, entities.escape(text[end:], quote=False))) if end else escaped
