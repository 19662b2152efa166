"""Convert an agent's Markdown or Matrix message to the text and HTML of a mail."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from bridge.mail.html import sanitise, to_text

MAX_LENGTH = 200_000
"""Maximum characters of a formatted message; no event can have more."""
markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False}).enable(
    ["table", "strikethrough"]
)
OF_MATRIX = re.compile(r"\s*(?:https?://matrix\.to/|matrix:)", re.IGNORECASE)


def to_html(text: str) -> str:
    """HTML of an agent's Markdown; raw HTML in it is shown as text."""
    return str(markdown.render(text)).strip()


def from_matrix(formatted: str) -> tuple[str, str]:
    """(text, HTML) of a message's formatted_body: mentions, room links and custom emoji become
    plain names, and the quoted message of a reply is removed."""
    tree = LexborHTMLParser(formatted[:MAX_LENGTH])
    for node in tree.css("mx-reply"):
        node.decompose()
    for node in tree.css("a"):
        if OF_MATRIX.match(node.attributes.get("href") or ""):
            node.unwrap()
    for node in tree.css("img"):
        node.replace_with(node.attributes.get("alt") or "")
    html = sanitise((tree.body.inner_html if tree.body is not None else "") or "")
    return to_text(html), html
