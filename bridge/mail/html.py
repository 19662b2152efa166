"""HTML of mails: to text, and to the subset Matrix clients show."""

from __future__ import annotations

import html as entities
import re

import nh3
from inscriptis import get_text
from selectolax.lexbor import LexborHTMLParser

from bridge.mail.charset import clean

MAX_HTML = 1_000_000
"""Characters that are looked at."""

MAX_DEPTH = 300
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]{0,5000}>")
# A paragraph, a row or an item often stands unclosed; they nest in nothing by themselves.
VOID = frozenset(
    "area base br col embed hr img input link meta p li td tr th option".split()  # noqa: SIM905 - names
)

# Client-Server API v1.14 §11.3.1.1, but for img: a client would fetch nothing else, and pictures
# of the mail are posted as files.
TAGS = {
    "del", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "p", "a", "ul", "ol", "sup", "sub",
    "li", "b", "i", "u", "strong", "em", "s", "code", "hr", "br", "div", "table", "thead", "tbody",
    "tr", "th", "td", "caption", "pre", "span", "details", "summary",
}  # fmt: skip
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(px|pt|em|%)?\s*(;|$|!)"
    r"|max-height\s*:\s*0(px)?\s*(;|$|!)|mso-hide\s*:\s*all",
    re.IGNORECASE,
)


def too_deep(html: str) -> bool:
    """Whether tags are nested deeper than any honest mail's. Linear: parsers take time that
    grows with the square of the depth, so this is asked before any tree is built."""
    depth = deepest = 0
    for match in TAG.finditer(html, 0, MAX_HTML):
        name = match[2].lower()
        if name in VOID:
            continue
        depth = max(0, depth - 1) if match[1] else depth + 1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            return True
    return False


def bare_text(html: str) -> str:
    """The words of HTML that is not worth a tree: tags stripped, entities read."""
    text = re.sub(r"<(?:style|script)\b[^>]{0,1000}>[^<]*", " ", html[:MAX_HTML])
    return clean(entities.unescape(TAG.sub(" ", text))).strip()


def has_text(html: str) -> bool:
    """Whether a reader would see anything but white space."""
    return bool(parse_tree(html).text(separator=" ").strip())


def to_text(html: str) -> str:
    """Readable plain text of an HTML mail."""
    tree = parse_tree(html)
    _drop_invisible(tree)
    _name_pictures(tree)
    source = tree.html or ""
    try:
        text = str(get_text(source)) if _depth_is_sane(source) else ""
    except (RecursionError, ValueError, AssertionError):
        text = ""
    if not text.strip():
        text = tree.text(separator="\n")
    # rstrip by lines: a pattern for blanks before a newline takes quadratic time on long runs
    text = "\n".join(line.rstrip(" \t\xa0") for line in clean(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def to_matrix(html: str) -> str:
    """HTML within what Matrix clients show: no scripts, styles, pictures or hidden text."""
    tree = parse_tree(html)
    _drop_invisible(tree)
    _name_pictures(tree)
    _show_hosts(tree)
    body = tree.body
    return sanitise((body.inner_html if body is not None else tree.html) or "")


def sanitise(html: str) -> str:
    """The allow-list alone, for HTML that is clean but not trusted."""
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel=None,
        clean_content_tags={"mx-reply", "script", "style", "title", "head", "noscript", "template"},
    ).strip()


def from_text(text: str) -> str:
    """Plain text as HTML that looks the same."""
    return entities.escape(text, quote=False).replace("\n", "<br>\n")


def parse_tree(html: str) -> LexborHTMLParser:
    """The tree of a mail's HTML, bounded, without what marks our own cuts."""
    return LexborHTMLParser(re.sub("[\ue000\ue001]", "", html[:MAX_HTML]))


def _depth_is_sane(html: str) -> bool:
    """inscriptis walks the tree by recursion."""
    return html.count("<div") + html.count("<table") + html.count("<span") < 20_000


def _drop_invisible(tree: LexborHTMLParser) -> None:
    for node in tree.css("script, style, head, noscript, template, [hidden], [style]"):
        style = node.attributes.get("style") or ""
        if node.tag in ("script", "style", "head", "noscript", "template") or (
            "hidden" in node.attributes or HIDDEN.search(style)
        ):
            node.decompose()


def _name_pictures(tree: LexborHTMLParser) -> None:
    """A picture becomes its alternative text; tracking pixels vanish."""
    for node in tree.css("img"):
        alt = " ".join((node.attributes.get("alt") or "").split())
        source = node.attributes.get("src") or ""
        if alt:
            node.replace_with(f"[image: {alt[:200]}]")
        elif source.startswith("cid:"):
            node.replace_with("[image]")
        else:
            node.decompose()


def _show_hosts(tree: LexborHTMLParser) -> None:
    """Where a link's text looks like another host than its target, name the true one."""
    for node in tree.css("a[href]"):
        target = re.match(r"https?://([^/?#\s]+)", node.attributes.get("href") or "", re.IGNORECASE)
        shown = re.search(r"(?:https?://|www\.)([^/?#\s]+)", node.text() or "", re.IGNORECASE)
        if target and shown:
            host = target[1].lower().rpartition("@")[2].removeprefix("www.")
            if host != shown[1].lower().removeprefix("www."):
                node.insert_after(f" ({host})")
