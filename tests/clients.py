"""What the poorest good client shows of an event's HTML: Element X for Android.

It keeps a few tags and drops all others, with nothing in their place.
"""

from __future__ import annotations

import html as entities
import re

INLINE = frozenset({"a", "b", "strong", "i", "em", "u", "del", "code"})
BLOCKS = frozenset({"ul", "ol", "li", "pre", "blockquote", "p", "br"})
TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*)?/?>")


def lines(html: str) -> list[str]:
    """The lines that it shows, without empty ones. Those of a list begin with •; what is struck
    through is between ~~, as in `body`."""

    def shown(match: re.Match[str]) -> str:
        tag = match[1].lower()
        if tag == "del":
            return "~~"
        if tag == "li":
            return "\n" if match[0].startswith("</") else "\n• "
        return "\n" if tag in BLOCKS else ""

    text = entities.unescape(TAG.sub(shown, html))
    found = [" ".join(line.split()) for line in text.split("\n")]
    return [line for line in found if line not in ("", "•")]
