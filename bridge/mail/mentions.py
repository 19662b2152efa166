"""Mentions of Matrix users and rooms in an agent's message, which leave as names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

LABEL = r"(?P<label>(?:\\.|\[[^\[\]\n]{0,200}\]|[^\[\]\n\\]){0,200})"
NAMED = r"[^\s)>\]\"?][^\s)>\]\"?,;!']{0,300}(?<![.:])"
URI = (
    rf"(?:https?://matrix\.to/#/(?P<to>{NAMED})|matrix:(?P<kind>u|r|roomid)/(?P<name>{NAMED}))"
    r"(?:\?[^\s)>\"]{0,300}[\w=/])?"
)
IN_LINK = re.compile(URI, re.IGNORECASE)
IN_MARKDOWN = re.compile(rf"\[{LABEL}\]\(\s?<?{URI}>?\s?\)", re.IGNORECASE)
"""A mention as clients write it in a body (Element X)."""
ALONE = re.compile(rf"<?(?<![\w/]){URI}>?", re.IGNORECASE)
SIGIL = {"u": "@", "r": "#", "roomid": "!"}
"""Matrix URIs (MSC2312) name the sigil of an id."""
ID = re.compile(r"[@#!][^\s:]{1,255}:\S{1,255}")
ESCAPED = re.compile(r"\\([^\w\s])")


def target(link: str) -> str:
    """The Matrix id that a link leads to; empty for any other link."""
    found = IN_LINK.match(link.strip())
    return target_of(found) if found is not None else ""


def target_of(found: re.Match[str]) -> str:
    """The Matrix id in a match of one of the patterns above."""
    if found["to"] is not None:
        return unquote(found["to"]).partition("/")[0]
    return f"{SIGIL[found['kind'].lower()]}{unquote(found['name']).partition('/')[0]}"


def label(shown: str, to: str, names: Mapping[str, str]) -> str:
    """The text of a mention of `to`: what it shows, or the name if it shows an id or a link."""
    if shown and not ID.fullmatch(shown) and not IN_LINK.match(shown):
        return shown
    localpart = to[1:].partition(":")[0]
    return names.get(to) or (localpart if to[:1] in ("@", "#") else "our room")


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Markdown in which mentions are names. `names`: the display names of `mentioned_ids`."""
    text = IN_MARKDOWN.sub(
        lambda each: label(ESCAPED.sub(r"\1", each["label"]), target_of(each), names), text
    )
    # the link of a room was put there by hand, and is the agent's business
    text = ALONE.sub(
        lambda each: label("", to, names) if (to := target_of(each))[:1] == "@" else each[0], text
    )
    return ids_as_names(text, names)


def ids_as_names(text: str, names: Mapping[str, str]) -> str:
    """The text with each id in `names` replaced by the name."""
    for mxid, name in names.items():
        standing = rf"(?<![\w@/=?&]){re.escape(mxid)}(?![\w-]|[.:]\w)"
        text = re.sub(standing, lambda _, name=name: name, text)  # type: ignore[misc]  # a default binds it
    return text


def mentioned_ids(text: str) -> list[str]:
    """The ids of users that a text's links lead to, each once."""
    found = (target_of(each) for each in IN_LINK.finditer(text))
    return list(dict.fromkeys(each for each in found if each.startswith("@") and ":" in each))
