"""Write the HTML of a mail in the subset Matrix clients show; only known markup is written."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from bridge.mail.links import IGNORED, other_host

MAX_DEPTH = 80
"""Maximum nesting of elements; clients need not show more than 100 levels (Client-Server API v1.14
§11.3.1.1). Deeper elements are shown as their text."""
SKIPPED = frozenset(
    "script style head title noscript template object embed iframe svg math select option textarea"  # noqa: SIM905 - names
    " audio video canvas map meta link base -comment".split()
)
KEPT = {
    "b": "strong", "strong": "strong", "i": "em", "em": "em", "u": "u", "s": "del", "del": "del",
    "strike": "del", "code": "code", "tt": "code", "kbd": "code", "samp": "code", "sup": "sup",
    "sub": "sub", "cite": "em", "ins": "u",
}  # fmt: skip
"""Inline elements, and the elements they are written as."""
BLOCKS = {
    "p": "p", "h1": "h1", "h2": "h2", "h3": "h3", "h4": "h4", "h5": "h5", "h6": "h6", "ul": "ul",
    "ol": "ol", "li": "li", "blockquote": "blockquote", "pre": "pre", "details": "details",
    "summary": "summary", "div": "div", "section": "div", "article": "div", "header": "div",
    "footer": "div", "main": "div", "aside": "div", "nav": "div", "center": "div", "dl": "div",
    "dt": "div", "dd": "div", "address": "div", "fieldset": "div", "form": "div", "figure": "div",
    "figcaption": "div", "menu": "ul", "dir": "ul",
}  # fmt: skip
BLOCK_START = re.compile(r"\s*<(?:p|h[1-6]|ul|ol|blockquote|pre|details|div|table|hr)\b")
HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(\.0+)?\s*(;|$|!)", re.IGNORECASE
)
NO_HEIGHT = re.compile(r"max-height\s*:\s*0(px)?\s*(;|$|!)", re.IGNORECASE)
CLIPPED = re.compile(r"overflow\s*:\s*hidden", re.IGNORECASE)
STRUCK = re.compile(r"text-decoration(?:-line)?\s*:[^;]*line-through", re.IGNORECASE)
FONT_SIZE = re.compile(r"font-size\s*:\s*([\d.]+|[a-z])", re.IGNORECASE)
# Invisible padding that newsletters put after their first line, to end the preview in mail lists.
FILLER = re.compile("(?:[\u00ad\u034f\u061c\u200b-\u200f\u2060\ufeff][ \xa0]?){3,}")
SPACE = re.compile(r"[ \t\n\r\f]+")
BREAKS = re.compile(r"(?:<br>\s*){3,}")
LINK = re.compile(r"\s*(https?://|mailto:)", re.IGNORECASE)
ONE_BLOCK = re.compile(r"\s*<(p|div)>(.*)</\1>\s*", re.DOTALL)
MAX_EMPTY = 9
"""Maximum empty cells that a colspan is shown as."""
CELL_TEXT = 80
"""Maximum characters of the median cell of a data table."""


def write(tree: LexborHTMLParser, pictures: Mapping[str, str], *, show_hosts: bool) -> str:
    """The document in the subset of HTML that Matrix allows, without pictures.

    `pictures`: names of inline pictures by Content-ID. `show_hosts`: if a link's text looks like
    another host than that of its target, the true host is shown after it.
    """
    body = tree.body
    if body is None:
        return ""
    writer = _Writer(pictures, show_hosts)
    return BREAKS.sub("<br><br>", "".join(writer.inside(body, 0))).strip()


@dataclass(slots=True)
class _Row:
    cells: list[tuple[str, str]] = field(default_factory=list)
    """(td or th, HTML of the cell)."""
    spans: list[int] = field(default_factory=list)
    """The colspan of each cell."""
    columns: int = 0
    """Number of columns of all cells, including their colspan."""


class _Writer:
    def __init__(self, pictures: Mapping[str, str], show_hosts: bool) -> None:
        self._pictures = pictures
        self._show_hosts = show_hosts
        self._verbatim = False
        self._unread = False
        """Whether the writer is inside an element with font size 0, whose text is invisible."""

    def inside(self, node: LexborNode, depth: int) -> Iterator[str]:
        child = node.child
        while child is not None:
            yield self._one(child, depth)
            child = child.next

    def _all(self, node: LexborNode, depth: int) -> str:
        return "".join(self.inside(node, depth + 1))

    def _one(self, node: LexborNode, depth: int) -> str:
        tag = node.tag
        if tag == "-text":
            return self._words(node.text_content or "")
        if tag is None or tag in SKIPPED:
            return ""
        if depth > MAX_DEPTH:
            return self._words(node.text(separator=" ") or "")
        attributes = node.attributes
        style = attributes.get("style") or "" if attributes else ""
        if "hidden" in attributes or (style and _hides(style)):
            return ""
        if tag == "span" and style and STRUCK.search(style):
            tag = "del"
        size = FONT_SIZE.search(style) if style else None
        if size is None:
            return self._element(node, tag, attributes, depth)
        # layouts set size 0 on an outer element and a real size on the visible elements inside
        before, self._unread = self._unread, size[1].strip("0.") == "" and size[1][0] in "0."
        shown = self._element(node, tag, attributes, depth)
        self._unread = before
        return shown

    def _element(
        self, node: LexborNode, tag: str, attributes: Mapping[str, str | None], depth: int
    ) -> str:
        if tag == "br":
            return "<br>"
        if tag == "hr":
            return "<hr>"
        if tag == "img":
            return self._picture(attributes)
        if tag == "a":
            return self._link(node, attributes.get("href") or "", depth)
        if tag == "table":
            return self._table(node, attributes, depth)
        if tag in KEPT:
            return _wrapped(KEPT[tag], self._all(node, depth))
        if tag == "pre":
            return self._preformatted(node, depth)
        if tag in BLOCKS:
            return _block(BLOCKS[tag], self._all(node, depth), attributes)
        return self._all(node, depth)

    def _words(self, text: str) -> str:
        if self._unread and text.strip():
            return ""
        if not self._verbatim:
            text = SPACE.sub(" ", FILLER.sub(" ", text))
        return entities.escape(text, quote=False)

    def _preformatted(self, node: LexborNode, depth: int) -> str:
        before, self._verbatim = self._verbatim, True
        content = self._all(node, depth)
        self._verbatim = before
        return _block("pre", content, {})

    def _picture(self, attributes: Mapping[str, str | None]) -> str:
        """The name of an inline picture, on a line of its own; the alternative text of another,
        empty for tracking pixels and for decoration."""
        source = attributes.get("src") or ""
        alt = " ".join((attributes.get("alt") or "").split())[:200]
        inline = source.lower().startswith("cid:")
        if not inline and _tiny(attributes):
            return ""
        if inline:
            name = self._pictures.get(unquote(source[4:])) or alt
            shown = f"[picture: {name}]" if name else "[picture]"
            return f"<div>{entities.escape(shown, quote=False)}</div>"
        if not alt or not any(map(str.isalnum, alt)):  # an emoji, drawn
            return entities.escape(alt, quote=False)
        return entities.escape(f"[picture: {alt}]", quote=False)

    def _link(self, node: LexborNode, href: str, depth: int) -> str:
        content = self._all(node, depth)
        href = IGNORED.sub("", href)
        if _is_blank(content) or not LINK.match(href):
            return content
        target = entities.escape(href, quote=True)
        shown = "" if not self._show_hosts else other_host(href, content)
        if BLOCK_START.match(content):  # a link around whole blocks: only its text is linked
            words = re.sub("<[^>]*>", " ", content).strip()
            return f'<div><a href="{target}">{words}</a>{shown}</div>'
        return f'<a href="{target}">{content}</a>{shown}'

    def _table(self, node: LexborNode, attributes: Mapping[str, str | None], depth: int) -> str:
        rows, caption = self._rows(node, depth)
        rows = [row for row in rows if any(not _is_blank(text) for _, text in row.cells)]
        head = f"<div>{caption}</div>" if caption else ""
        if _is_data(rows, attributes):
            lines = "".join(
                "<tr>" + "".join(
                    f"<{tag}>{_bare(text)}</{tag}>" + f"<{tag}></{tag}>" * min(span - 1, MAX_EMPTY)
                    for (tag, text), span in zip(row.cells, row.spans, strict=True)
                ) + "</tr>"
                for row in rows
            )  # fmt: skip
            return f"{head}<table>{lines}</table>"
        return head + "".join(_unwrapped(row) for row in rows)

    def _rows(self, table: LexborNode, depth: int) -> tuple[list[_Row], str]:
        rows: list[_Row] = []
        caption = ""
        stack = [table.child]
        while stack:
            node = stack.pop()
            if node is None:
                continue
            stack.append(node.next)
            if node.tag in ("tbody", "thead", "tfoot"):
                stack.append(node.child)
            elif node.tag == "tr" and not _hides(node.attributes.get("style") or ""):
                rows.append(self._row(node, depth + 3))
            elif node.tag == "caption":
                caption = self._all(node, depth).strip()
        return rows, caption

    def _row(self, node: LexborNode, depth: int) -> _Row:
        row = _Row()
        cell = node.child
        while cell is not None:
            if cell.tag in ("td", "th"):
                attributes = cell.attributes
                content = self._one(cell, depth)
                span = attributes.get("colspan") or "1"
                row.spans.append(int(span) if re.fullmatch("[1-9][0-9]?", span) else 1)
                row.columns += row.spans[-1]
                row.cells.append((str(cell.tag), content))
            cell = cell.next
        return row


def _is_blank(content: str) -> bool:
    """Whether nothing of the content is visible. Uses no regex: there are several kinds of blanks,
    and a regex would backtrack over them."""
    return not content.replace("<br>", "").strip().strip("\u200b\ufeff").strip()


def _wrapped(tag: str, content: str) -> str:
    if _is_blank(content) or BLOCK_START.match(content):
        return content
    return f"<{tag}>{content}</{tag}>"


def _block(tag: str, content: str, attributes: Mapping[str, str | None]) -> str:
    if _is_blank(content):
        return "<br>" if tag in ("p", "div") and "<br>" in content else ""
    if tag == "div" and BLOCK_START.match(content) and content.rstrip().endswith("</div>"):
        return content  # a block around blocks adds nothing
    start = attributes.get("start") if tag == "ol" else None
    number = f' start="{start}"' if start and re.fullmatch(r"-?\d{1,6}", start) else ""
    return f"<{tag}{number}>{content if tag == 'pre' else content.strip()}</{tag}>"


def _tiny(attributes: Mapping[str, str | None]) -> bool:
    sizes = [attributes.get(name) or "" for name in ("width", "height")]
    return any(re.fullmatch(r"[0-2](?:px)?", size.strip()) for size in sizes)


def _is_data(rows: list[_Row], attributes: Mapping[str, str | None]) -> bool:
    """Whether a table holds data, and is not used for the layout of the page."""
    columns = max((row.columns for row in rows), default=0)
    cells = [text for row in rows for _, text in row.cells]
    if columns < 2 or attributes.get("role") in ("presentation", "none"):
        return False
    if any("<table" in text for text in cells):
        return False
    if any(tag == "th" for row in rows for tag, _ in row.cells):
        return True
    lengths = sorted(len(re.sub("<[^>]*>", "", text)) for text in cells)
    short = lengths[len(lengths) // 2] <= CELL_TEXT and lengths[-1] <= 8 * CELL_TEXT
    if (attributes.get("border") or "0").strip() not in ("0", "0px", "none") and short:
        return True
    even = sum(row.columns == columns for row in rows) * 5 >= len(rows) * 4
    return len(rows) > 1 and even and short and not any("<hr>" in text for text in cells)


def _bare(cell: str) -> str:
    """A cell's content without the single paragraph that some programs put around it."""
    match = ONE_BLOCK.fullmatch(cell)
    return (match[2] if match is not None and f"<{match[1]}>" not in match[2] else cell).strip()


def _unwrapped(row: _Row) -> str:
    """A row of a layout table: in one line if no cell has line breaks, otherwise as blocks."""
    cells = [text.strip() for _, text in row.cells if not _is_blank(text)]
    if any(BLOCK_START.match(text) or "<br>" in text for text in cells):
        return "".join(_block("div", text, {}) for text in cells)
    return f"<div>{' '.join(cells)}</div>"


def _hides(style: str) -> bool:
    """Whether a style makes an element invisible."""
    if HIDDEN.search(style):
        return True
    return NO_HEIGHT.search(style) is not None and CLIPPED.search(style) is not None
