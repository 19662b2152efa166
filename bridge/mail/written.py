"""Convert an agent's Markdown or Matrix message to the text and HTML of a mail."""

from __future__ import annotations

import html as entities
import re
import threading
from collections.abc import Mapping

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from selectolax.lexbor import LexborHTMLParser

from bridge.mail import mentions
from bridge.mail.bare_links import finder
from bridge.mail.html import SCHEMES, to_text

MAX_LENGTH = 200_000
"""Maximum characters of a formatted message; no event can have more."""
LINK = re.compile(r"(?:https?|ftp|mailto|tel):", re.IGNORECASE)
ESCAPES_AFTER = frozenset(" \t\n*_~`([\"'>-")
"""What stands before a backslash that escapes the next character; after a letter, a colon or
another backslash it belongs to a path."""
NAME_IN_CODE = re.compile(r"(?<!\w)__\w+__(?!\w)")
STARS = re.compile(r"(?<=[0-9A-Za-z])\*+(?=[0-9A-Za-z])")
RUN = re.compile(r"\\(\\+|_*|\**)")
TAGS = {
    "a", "b", "strong", "i", "em", "u", "s", "del", "code", "ul", "ol", "li", "pre", "blockquote",
    "p", "br", "hr", "div", "span", "sub", "sup", "h1", "h2", "h3", "h4", "h5", "h6", "table",
    "thead", "tbody", "tr", "th", "td", "caption", "details", "summary",
}  # fmt: skip
"""What a Matrix message may hold (Client-Server API v1.14, m.room.message msgtypes) and every mail
program shows."""
ATTRIBUTES = {
    "a": {"href"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}


def _escapes(text: str, at: int) -> bool:
    """Whether the backslash `at` is meant to escape what follows it, and belongs to no path."""
    before, sign = text[at - 1] if at else " ", text[at + 1 : at + 2]
    if sign == "\\":
        return False
    # `\*so\*`: the second one ends what the first began
    line = text[text.rfind("\n", 0, at) + 1 : at][-500:]
    return before in ESCAPES_AFTER or any(
        line[found.start() - 1 : found.start()] in ESCAPES_AFTER or not found.start()
        for found in re.finditer(re.escape(f"\\{sign}"), line)
        if sign in ("*", "_")
    )


def _literal(state: StateInline, silent: bool) -> bool:
    """Keep what people type without meaning Markdown: `C:\\x\\_y`, `__init__`, `5*3*2`."""
    if state.src[state.pos] == "\\":
        found = None if _escapes(state.src, state.pos) else RUN.match(state.src, state.pos)
    else:
        found = NAME_IN_CODE.match(state.src, state.pos) or STARS.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.pending += found[0]
    state.pos = found.end()
    return True


def _markdown() -> MarkdownIt:
    """CommonMark without what people type by accident: "Kind regards⏎--⏎Alice" is no heading,
    `[1]: https://…` no definition that vanishes, `&lt;` no sign, `f[0](x)` no link."""
    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True})
    made.enable(["table", "strikethrough", "linkify"])
    made.disable(["lheading", "reference", "entity"])
    made.linkify = finder()
    made.inline.ruler.before("escape", "literal", _literal)
    made.validateLink = lambda url: LINK.match(url) is not None  # type: ignore[method-assign]  # as its docs say
    return made


class _PerThread(threading.local):
    def __init__(self) -> None:
        self.markdown = _markdown()


_own = _PerThread()


def to_html(text: str) -> str:
    """HTML of an agent's Markdown; raw HTML in it is shown as text."""
    return str(_own.markdown.render(text)).strip()


def from_matrix(formatted: str, names: Mapping[str, str] | None = None) -> tuple[str, str]:
    """(text, HTML) of a message's formatted_body: mentions and custom emoji become plain names,
    and the quoted message of a reply is removed. `names`: display names by Matrix id."""
    names = names or {}
    tree = LexborHTMLParser(formatted[:MAX_LENGTH])
    for node in tree.css("mx-reply"):
        node.decompose()
    for node in tree.css("a"):
        if to := mentions.target(node.attributes.get("href") or ""):
            node.replace_with(mentions.label(node.text(), to, names))
    for node in tree.css("img"):
        node.replace_with(node.attributes.get("alt") or "")
    html = nh3.clean(
        (tree.body.inner_html if tree.body is not None else "") or "",
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={*SCHEMES, "ftp", "tel"},
        link_rel=None,
    ).strip()
    html = mentions.ids_as_names(html, {mxid: entities.escape(names[mxid]) for mxid in names})
    return to_text(html), html
