"""Write HTML in the few tags that every Matrix client shows, so that nothing runs together.

Element X for Android keeps only these and drops all others without a line break: a div, a heading
or a table row would be glued to the next. So all text stands in paragraphs, lists, quotes and
preformatted blocks; whatever else began a line becomes a line break.
"""

from __future__ import annotations

import html as entities
import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

INLINE = {"strong": "strong", "b": "strong", "em": "em", "i": "em", "u": "u", "del": "del",
          "s": "del", "code": "code", "a": "a"}  # fmt: skip
LINES = frozenset({"div", "dt", "dd", "li"})
"""Elements whose content stands on lines of its own."""
PARAGRAPHS = frozenset({"p", "table", "caption"})
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
REPEATED = 8_000
"""Characters of start tags that are repeated in later lines of an element."""
RULE = "———"
CELLS = " · "
RAISED = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
LOWERED = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")
TAGS = re.compile("<[^>]*>")
BLOCK_TAG = re.compile(r"</?(?:p|blockquote|ul|ol|li|pre|details|summary|br)\b[^>]*>")


def write(html: str) -> str:
    """HTML of markup.write, or of from_text, in those tags."""
    body = LexborHTMLParser(html).body if html.strip() else None
    return _blocks(body) if body is not None else ""


def _blocks(node: LexborNode) -> str:
    writer = _Blocks()
    writer.inside(node)
    return writer.end()


class _Blocks:
    """Collects blocks; the open paragraph is kept as lines, so that it can be closed anywhere."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._lines: list[str] = []
        self._line_so_far: list[str] = []
        self._open: list[tuple[str, str]] = []
        """The inline elements that are open: (end tag, start tag)."""
        self._left = REPEATED

    def end(self) -> str:
        self._paragraph()
        return "".join(self._done)

    def inside(self, node: LexborNode) -> None:
        child = node.child
        while child is not None:
            self._one(child)
            child = child.next

    def _one(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._line_so_far.append(entities.escape(node.text_content or "", quote=False))
        elif tag == "br":
            self._break()
        elif tag == "hr":
            self._paragraph()
            self._line_so_far.append(RULE)
            self._paragraph()
        elif tag in INLINE:
            self._inline(node, INLINE[tag])
        elif tag in ("sup", "sub"):
            self._shifted(node, RAISED if tag == "sup" else LOWERED)
        elif tag in HEADINGS:
            self._paragraph()
            self._inline(node, "strong")
            self._paragraph()
        elif tag == "tr":
            self._row(node)
        elif tag in LINES:
            self._line()
            self._line_so_far.append("• " if tag == "li" else "")  # an item without its list
            self.inside(node)
            self._line()
        elif tag in PARAGRAPHS:
            self._paragraph()
            self.inside(node)
            self._paragraph()
        elif tag in ("ul", "ol"):
            self._list(node, tag)
        elif tag in ("blockquote", "details"):
            self._block(tag, _blocks(node))
        elif tag == "summary":
            self._block("summary", _in_one_line(node))
        elif tag == "pre":
            text = entities.escape(node.text(deep=True) or "", quote=False)
            self._block("pre", text.strip("\n"))
        else:
            self.inside(node)

    def _inline(self, node: LexborNode, tag: str) -> None:
        start = f"<{tag}>"
        if tag == "a":
            start = f'<a href="{entities.escape(node.attributes.get("href") or "", quote=True)}">'
        self._open.append((f"</{tag}>", start))
        self._line_so_far.append(start)
        self.inside(node)
        if self._open and self._open[-1][1] == start:
            self._line_so_far.append(f"</{tag}>")
            self._open.pop()

    def _shifted(self, node: LexborNode, characters: dict[int, int]) -> None:
        text = (node.text(deep=True) or "").strip()
        shown = text.translate(characters)
        if any(ord(each) not in characters for each in text):
            self.inside(node)
        else:
            self._line_so_far.append(shown)

    def _row(self, node: LexborNode) -> None:
        self._line()
        cells = []
        cell = node.child
        while cell is not None:
            if cell.tag in ("td", "th"):
                text = _in_one_line(cell)
                cells.append(f"<strong>{text}</strong>" if cell.tag == "th" and text else text)
            cell = cell.next
        self._line_so_far.append(CELLS.join(cells))
        self._line()

    def _list(self, node: LexborNode, tag: str) -> None:
        items = []
        child = node.child
        while child is not None:
            if child.tag == "li":
                items.append(f"<li>{_unwrapped(_blocks(child))}</li>")
            elif child.tag != "-text" or (child.text_content or "").strip():
                items.append(f"<li>{_unwrapped(_alone(child))}</li>")
            child = child.next
        start = node.attributes.get("start") if tag == "ol" else None
        number = f' start="{start}"' if start else ""
        if items:
            self._block(f"{tag}{number}", "".join(items))

    def _block(self, start: str, content: str) -> None:
        self._paragraph()
        if not _is_blank(content):
            self._done.append(f"<{start}>{content}</{start.partition(' ')[0]}>")

    def _break(self) -> None:
        """Begin another line, with the same inline elements open."""
        self._line_so_far.append("".join(end for end, _ in reversed(self._open)))
        again = "".join(start for _, start in self._open)
        if len(again) > self._left:  # long links over many lines: the link is on the first of them
            self._open = [(end, start) for end, start in self._open if end != "</a>"]
            again = "".join(start for _, start in self._open)
        self._left -= len(again)
        self._lines.append("".join(self._line_so_far))
        self._line_so_far = [again]

    def _line(self) -> None:
        """Begin another line unless this one is empty."""
        if not _is_blank("".join(self._line_so_far)):
            self._break()

    def _paragraph(self) -> None:
        """Close the paragraph: its lines, and another paragraph after each empty line."""
        self._break()
        lines, self._lines = self._lines, []
        together: list[str] = []
        for line in [*lines, ""]:
            if not _is_blank(line):
                together.append(line.strip())
            elif together:
                self._done.append(f"<p>{'<br>'.join(together)}</p>")
                together = []


def _alone(node: LexborNode) -> str:
    writer = _Blocks()
    writer._one(node)
    return writer.end()


def _in_one_line(node: LexborNode) -> str:
    """The content of a cell or summary: its blocks and lines after one another."""
    return " ".join(BLOCK_TAG.sub(" ", _blocks(node)).split())


def _unwrapped(blocks: str) -> str:
    """The content of a list item without the paragraph around its first lines."""
    match = re.fullmatch(r"<p>((?:(?!</p>).)*)</p>(.*)", blocks, re.DOTALL)
    if match is None or match[2].startswith("<p>"):
        return blocks
    return match[1] + match[2]


def _is_blank(content: str) -> bool:
    return not entities.unescape(TAGS.sub("", content)).strip(" \t\r\n\xa0\u200b\ufeff")
