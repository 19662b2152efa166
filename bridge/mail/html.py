"""Convert the HTML of mails to text, and to the subset of HTML that Matrix clients show."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Mapping

import nh3
from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from selectolax.lexbor import LexborHTMLParser

from bridge.mail import blocks, markup
from bridge.mail.charset import clean

MAX_HTML = 1_000_000
"""Maximum characters of HTML that are read."""

MAX_DEPTH = 300
TAG = re.compile(
    r"<(/?)([a-zA-Z][a-zA-Z0-9]*)"
    r"((?:[^<>\"']|\"[^\"]{0,2000000}\"|'[^']{0,2000000}'){0,5000})>"
)
FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())  # noqa: SIM905 - names
MAX_REBUILT = 20_000
"""Maximum elements that a parser recreates for blocks inside open formatting (HTML §13.2.4.3)."""
# Void elements, and elements that are often left unclosed but do not nest in each other.
VOID = frozenset(
    "area base br col embed hr img input link meta p li td tr th option".split()  # noqa: SIM905 - names
)

TAGS = {
    "a", "b", "strong", "i", "em", "u", "del", "code", "ul", "ol", "li", "pre", "blockquote", "p",
    "br", "details", "summary",
}  # fmt: skip
"""What every client shows (see blocks), with details and summary, which lose nothing where they are
dropped. No img: clients fetch only mxc:// pictures, and those of the mail are posted as files."""
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}


MARKS = re.compile("[\ue000\ue001]|&#(?:x0*e00[01]|0*5734[45]);?", re.IGNORECASE)
"""The characters with which layout.cut marks its cuts, as characters or as entities."""
PLAIN = ParserConfig(css=CSS_PROFILES["strict"].copy())


def too_deep(html: str) -> bool:
    """Whether tags are nested deeper than in any honest mail, or make a parser multiply elements.
    Linear, and checked before any tree is built, because parsers take time quadratic in the
    depth."""
    depth = open_ = rebuilt = 0
    for match in TAG.finditer(html, 0, MAX_HTML):
        name = match[2].lower()
        if name in FORMATTING:
            open_ = max(0, open_ - 1) if match[1] else open_ + 1
        elif not match[1]:
            rebuilt += open_
        if name not in VOID:
            depth = max(0, depth - 1) if match[1] else depth + 1
        if depth > MAX_DEPTH or rebuilt > MAX_REBUILT:
            return True
    return False


def bare_text(html: str) -> str:
    """The text of HTML that must not be parsed: tags removed, entities decoded."""
    text = re.sub(r"<(?:style|script)\b[^>]{0,1000}>[^<]*", " ", html[:MAX_HTML])
    return clean(entities.unescape(TAG.sub(" ", text))).strip()


def has_text(html: str) -> bool:
    """Whether a reader would see words or an inline picture."""
    return words_in(html) > 0


def words_in(html: str) -> int:
    """The number of words in HTML; 1 if it has no words but an inline picture."""
    body = parse_tree(html).body if html else None
    if body is None:
        return 0
    picture = body.css_first('img[src^="cid:"]') is not None
    return len(body.text(separator=" ").split()) or int(picture)


def all_words(html: str) -> str:
    """The words in HTML, with those that are hidden."""
    body = parse_tree(html).body
    return body.text(separator=" ") if body is not None else ""


def to_text(html: str) -> str:
    """Readable plain text of the visible content of an HTML mail, without its layout."""
    tree = parse_tree(html)
    source = markup.write(tree, {}, show_hosts=False)
    source = source.replace("<del>", "~~").replace("</del>", "~~")
    source = source.replace("&amp;", "&amp;amp;")  # inscriptis decodes entities a second time
    try:
        text = str(get_text(source, PLAIN)) if source else ""
    except (RecursionError, ValueError, AssertionError):
        text = ""
    if not text.strip():
        text = tree.body.text(separator="\n") if tree.body is not None else ""
    # rstrip by lines: a regex for blanks before a newline takes quadratic time on long runs
    text = "\n".join(line.rstrip(" \t\xa0") for line in clean(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def to_matrix(html: str, pictures: Mapping[str, str] | None = None) -> str:
    """HTML in the subset that Matrix clients show: no scripts, styles, pictures or hidden text.
    `pictures`: names of inline pictures by Content-ID."""
    return sanitise(blocks.write(markup.write(parse_tree(html), pictures or {}, show_hosts=True)))


def text_to_matrix(text: str) -> str:
    """Plain text as HTML for Matrix: escaped, in paragraphs."""
    return blocks.write(from_text(text))


def sanitise(html: str) -> str:
    """Apply only the allow-list of tags and attributes, for HTML in the subset already."""
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel=None,
        clean_content_tags={"mx-reply", "script", "style", "title", "head", "noscript", "template"},
    ).strip()


def from_text(text: str) -> str:
    """Plain text as HTML: escaped, with <br> for line breaks."""
    return entities.escape(text, quote=False).replace("\n", "<br>\n")


def parse_tree(html: str) -> LexborHTMLParser:
    """The parsed HTML of a mail, limited to MAX_HTML, without the marks of layout.cut."""
    return LexborHTMLParser(MARKS.sub("", html[:MAX_HTML]))
