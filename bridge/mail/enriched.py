"""text/enriched (RFC 1896) and its older form text/richtext (RFC 1341) as HTML."""

from __future__ import annotations

import html
import re

TOKEN = re.compile(r"<<|<(/?)([a-z0-9-]{1,60})>|\n+", re.IGNORECASE)
TAGS = {
    "bold": "b", "italic": "i", "underline": "u", "fixed": "code", "excerpt": "blockquote",
    "paragraph": "p", "center": "div", "flushleft": "div", "flushright": "div", "indent": "div",
    "signature": "div", "heading": "div", "quotation": "blockquote",
}  # fmt: skip
MAX_OPEN = 100
"""Elements inside each other; deeper ones are left out."""


def to_html(text: str, *, rich: bool = False) -> str:
    """The text as HTML; unknown commands are left out, their content stays. `rich`: it is
    text/richtext, in which a line break is `<nl>`, and `<lt>` is the only escape."""
    parts: list[str] = []
    open_: list[str] = []
    at = unread = 0
    for match in TOKEN.finditer(text):
        if not unread:
            parts.append(html.escape(text[at : match.start()], quote=False))
        at = match.end()
        name = (match[2] or "").lower()
        if name in ("param", "comment"):
            unread = max(0, unread - 1) if match[1] else unread + 1
        elif not unread:
            parts.append(_written(match, name, open_, rich=rich))
    parts.append(html.escape(text[at:], quote=False))
    return "".join((*parts, *(f"</{tag}>" for tag in reversed(open_))))


def _written(match: re.Match[str], name: str, open_: list[str], *, rich: bool) -> str:
    """The HTML of one token; keeps `open_`, the open elements."""
    if match[0] == "<<":
        return "&lt;"
    if not name:  # n line breaks are n - 1, a single one is a blank
        return " " if rich or len(match[0]) == 1 else "<br>" * (len(match[0]) - 1)
    if name in ("nl", "np"):
        return "<br>"
    if name == "lt":
        return "&lt;"
    tag = TAGS.get(name, "")
    if tag and not match[1] and len(open_) < MAX_OPEN:
        open_.append(tag)
        return f"<{tag}>"
    if tag and match[1] and tag in open_:
        inner = open_[open_.index(tag) :] if open_[-1] != tag else [tag]
        del open_[len(open_) - len(inner) :]
        return "".join(f"</{each}>" for each in reversed(inner))
    return ""
