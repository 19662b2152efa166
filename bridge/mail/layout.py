"""Split an HTML mail into the lines a reader sees, and cut its HTML between lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from bridge.mail.line import Kind, Line

BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt",
    "fieldset", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
    "nav", "ol", "p", "pre", "section", "table", "tbody", "td", "th", "thead", "tr", "ul",
})  # fmt: skip
SILENT = frozenset({"script", "style", "head", "title", "noscript", "template", "-comment"})

# Classes and ids by which mail programs mark quotes and signatures. They take precedence over
# words, because they do not depend on a language.
CLASSES = {
    "gmail_attr": Kind.INTRO, "moz-cite-prefix": Kind.INTRO,
    "moz-forward-container": Kind.FORWARD, "yahoo_quoted": Kind.QUOTE,
    "protonmail_quote": Kind.QUOTE, "tutanota_quote": Kind.QUOTE, "zmail_extra": Kind.QUOTE,
    "missive_quote": Kind.QUOTE, "front-blockquote": Kind.QUOTE, "gmail_extra": None,
    "ms-outlook-mobile-reference-message": Kind.HISTORY, "wordsection1": None,
    "gmail_signature": Kind.SIGNATURE, "moz-signature": Kind.SIGNATURE,
    "protonmail_signature_block": Kind.SIGNATURE, "mailbox_signature": Kind.SIGNATURE,
}  # fmt: skip
IDS = {
    "divrplyfwdmsg": Kind.HISTORY, "x_divrplyfwdmsg": Kind.HISTORY,
    "olk_src_body_section": Kind.HISTORY,
    "mail-editor-reference-message-container": Kind.HISTORY, "qt": Kind.QUOTE,
    "quoted_header": Kind.HISTORY, "isforwardcontent": Kind.FORWARD,
    "signature": Kind.SIGNATURE, "x_signature": Kind.SIGNATURE,
    "applemailsignature": Kind.SIGNATURE, "ms-outlook-mobile-signature": Kind.SIGNATURE,
    "composer_signature": Kind.SIGNATURE,
}  # fmt: skip
MARKERS = {"__QUOTED_TEXT__": Kind.QUOTE, "__HEADERS__": Kind.HISTORY}  # Zimbra's
BELOW = frozenset({"appendonsend", "x_appendonsend", "stopspelling", "zwchr"})
"""Ids of empty elements after which history begins, at the next line."""
OUTER = (Kind.QUOTE, Kind.SIGNATURE)
"""Kinds that apply to all content of an element, regardless of the hints inside."""


@dataclass(slots=True)
class Row:
    """One line of text, and the node it begins at."""

    node: LexborNode
    hint: Kind | None
    parts: list[str] = field(default_factory=list)

    def line(self) -> Line:
        return Line(" ".join("".join(self.parts).split()), self.hint)


def rows(tree: LexborHTMLParser) -> list[Row]:
    """The lines of a document, in order. Changes `tree`: lines inside <pre> are split by <br>."""
    if tree.body is None:
        return []
    _split_preformatted(tree)
    return _Walk().through(tree.body)


class _Walk:
    """Collects the rows in one pass over the tree, without recursion."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._row: Row | None = None
        self._hints: list[tuple[int, Kind]] = []
        self._next: Kind | None = None

    def through(self, top: LexborNode) -> list[Row]:
        depth = 0
        node: LexborNode | None = top.child
        while node is not None:
            self._enter(node, depth)
            if node.child is not None and node.tag not in SILENT:
                node, depth = node.child, depth + 1
                continue
            while node is not None:
                self._leave(node, depth)
                if node.next is not None:
                    node = node.next
                    break
                node, depth = node.parent, depth - 1
                if depth < 0:
                    node = None
        self._row = None
        return self.rows

    def _enter(self, node: LexborNode, depth: int) -> None:
        tag = node.tag
        if tag == "-text":
            text = node.text_content or ""
            if self._row is not None:
                self._row.parts.append(text)
            elif text.strip():
                self._begin(node, text)
            return
        if tag in BLOCKS or tag == "br":
            self._row = None
        if tag == "hr":
            self._begin(node, "----------")
            self._row = None
        elif tag == "img" and self._row is None:
            self._begin(node, "[picture]")
        hint = _hint(node)
        if hint is not None and not (self._hints and self._hints[-1][1] in OUTER):
            self._row = None
            self._hints.append((depth, hint))
        if (node.attributes.get("id") or "").lower() in BELOW:
            self._next = Kind.HISTORY

    def _leave(self, node: LexborNode, depth: int) -> None:
        if node.tag in BLOCKS:
            self._row = None
        if self._hints and self._hints[-1][0] == depth and _hint(node) is self._hints[-1][1]:
            self._hints.pop()
            self._row = None

    def _begin(self, node: LexborNode, text: str) -> None:
        hint = self._hints[-1][1] if self._hints else None
        if hint is None and self._next is not None and text.strip("-"):
            hint, self._next = self._next, None
        self._row = Row(node, hint, [text])
        self.rows.append(self._row)


def _hint(node: LexborNode) -> Kind | None:
    attributes = node.attributes
    if not attributes and node.tag != "blockquote":
        return None
    classes = (attributes.get("class") or "").lower().split()
    if node.tag == "blockquote":
        style = (attributes.get("style") or "").lower()
        marked = attributes.get("type") == "cite" or "border-left" in style or "cite" in attributes
        within = (node.parent.attributes.get("class") or "") if node.parent is not None else ""
        gmail = "gmail_quote" in (*classes, *within.lower().split())
        return Kind.QUOTE if marked or gmail else Kind.CITED
    for name in classes:
        if name in CLASSES:
            return CLASSES[name]
    if "quote" in (attributes.get("name"), attributes.get("data-type")):
        return Kind.QUOTE
    return MARKERS.get(attributes.get("data-marker") or "") or IDS.get(
        (attributes.get("id") or "").lower()
    )


def _split_preformatted(tree: LexborHTMLParser) -> None:
    """Replace line breaks inside <pre> by <br>, so that its lines become rows."""
    for block in tree.css("pre"):
        if _is_within(block, "pre"):
            continue
        for node in list(block.traverse(include_text=True)):
            text = node.text_content if node.tag == "-text" else None
            if not text or "\n" not in text:
                continue
            for number, piece in enumerate(text.split("\n")):
                if number:
                    node.insert_before(tree.create_node("br"))
                if piece:
                    node.insert_before(piece)
            node.decompose()


def _is_within(node: LexborNode, tag: str) -> bool:
    parent = node.parent
    while parent is not None and parent.tag != tag:
        parent = parent.parent
    return parent is not None


def _outermost(node: LexborNode) -> LexborNode:
    """The outermost element that begins with `node`. A cut before it keeps the markup around the
    line together with the line."""
    while (parent := node.parent) is not None and parent.tag not in (None, "body", "html"):
        before = node.prev
        while before is not None and not (before.text(deep=True) or "").strip():
            if before.tag not in ("-text", "-comment"):
                return node
            before = before.prev
        if before is not None or parent.tag in ("table", "tbody", "tr", "ul", "ol"):
            return node
        node = parent
    return node


def cut(
    tree: LexborHTMLParser, found: Sequence[Row], folded: Sequence[bool]
) -> list[tuple[bool, str]]:
    """The document as (is folded, HTML) pieces, in order. Changes `tree`."""
    mark, hidden = 0, False
    states: list[bool] = [False]
    for row, fold in zip(found, folded, strict=True):
        if fold is not hidden:
            _outermost(row.node).insert_before(f"\ue000{mark}\ue001")
            states.append(fold)
            mark, hidden = mark + 1, fold
    body = tree.body
    source = (body.inner_html if body is not None else tree.html) or ""
    pieces = re.split("\ue000[0-9]+\ue001", source)
    return list(zip(states, pieces, strict=True))
