"""HTML that an admin writes for mails: what it may hold, with its style sheet inlined. Pure."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Mapping
from urllib.parse import quote

import css_inline
import nh3
from selectolax.lexbor import LexborHTMLParser

from bridge.mail.html import too_deep
from bridge.mail.written import ATTRIBUTES, TAGS
from bridge.model import Refused

SHOWN = TAGS | {"img", "center", "font", "small", "big", "tbody", "tfoot", "col", "colgroup"}
AROUND = {"html", "head", "body", "style", "title", "meta"}
"""What editors write around it, and what is worked in; nothing of it is left in the mail."""
REFUSED = {
    "script", "iframe", "object", "embed", "form", "input", "button", "select", "textarea", "link",
    "base", "svg", "math", "video", "audio", "frame", "frameset", "noscript", "template", "canvas",
}  # fmt: skip
TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)(?=[\s/>])")
LAYOUT = {"align", "valign", "width", "height", "bgcolor", "dir", "lang", "style", "title"}
SIZED = {"cellpadding", "cellspacing", "border", "role"}
ALLOWED = {
    **dict.fromkeys(SHOWN, LAYOUT),
    **{tag: LAYOUT | names for tag, names in ATTRIBUTES.items()},
    "table": LAYOUT | SIZED, "img": LAYOUT | {"src", "alt", "border"},
    "font": LAYOUT | {"color", "face", "size"},
}  # fmt: skip
PROPERTIES = {
    "color", "background-color", "font", "font-family", "font-size", "font-style", "font-weight",
    "text-align", "text-decoration", "text-transform", "line-height", "letter-spacing",
    "vertical-align", "white-space", "word-break", "width", "max-width", "min-width", "height",
    "max-height", "min-height", "display", "direction", "border", "border-collapse",
    "border-spacing", "border-radius", "border-color", "border-style", "border-width", "margin",
    "padding", "list-style-type", "float", "clear", "opacity",
    *(f"{box}-{side}" for box in ("border", "margin", "padding")
      for side in ("top", "right", "bottom", "left")),
}  # fmt: skip
"""CSS that mail programs show, and that loads nothing."""
SCHEMES = {"http", "https", "mailto", "tel"}
FETCHES = re.compile(r"@|url\s*\(|expression\s*\(|\\|image-set|javascript:", re.IGNORECASE)
"""What in a style sheet loads something, runs, or may hide such a word."""
MARK = re.compile(r"xq\d\dzv7kq")
"""What stands for a value while Markdown and style sheets are worked out, so that no value is read
as either: plain letters, which nothing changes."""
FIXED_START = re.compile(r"(?i:https?://(?:(?!xq\d\dzv7kq)[^/?#])+[/?#]|mailto:|tel:)")
"""How a link begins into which a value may be put: it cannot change where the link leads."""
PIECES = re.compile(r'(<[^">]*(?:"[^"]*"[^">]*)*>)')
"""Tags, as they are written here, and what stands between."""
MAX_WRITTEN = 200_000
"""Maximum characters of the HTML that comes of it."""


def is_html(text: str) -> bool:
    """Whether a text is written in HTML, rather than in Markdown."""
    return "<!" in text or any(
        name.lower() in SHOWN | AROUND | REFUSED for name in TAG.findall(text)
    )


def inlined(source: str) -> str:
    """The HTML with its style sheet in style attributes, and without what no mail program shows.
    Nothing is loaded. Raises Refused for what cannot stand in a mail."""
    if too_deep(source):
        raise Refused("its tags are nested too deeply")
    if "<!--" in source or "<![" in source:
        raise Refused("comments cannot stand in it")
    for name in TAG.findall(source):
        if name.lower() in REFUSED:
            how = "; put the rules into <style>, no style sheet is loaded" * (name == "link")
            raise Refused(f"<{name}> cannot stand in a mail{how}")
    tree = LexborHTMLParser(source)
    for sheet in tree.css("style"):
        _refuse_fetching(sheet.text())
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            _check_attribute(node.tag or "", name, value or "")
    try:
        inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)
        page = inliner.inline(tree.html or "")
    except (css_inline.InlineError, ValueError) as error:
        raise Refused(f"its style sheet cannot be read: {str(error)[:100]}") from error
    body = LexborHTMLParser(page).body
    written = nh3.clean(
        (body.inner_html if body is not None else "") or "",
        tags=SHOWN, attributes=ALLOWED, url_schemes=SCHEMES, link_rel=None,
        filter_style_properties=PROPERTIES,
    ).strip()  # fmt: skip
    if len(written) > MAX_WRITTEN:
        raise Refused(f"it becomes {len(written):,} characters of HTML")
    return written


def filled(html: str, by_mark: Mapping[str, str]) -> str:
    """The HTML with values in place of their marks: escaped, and quoted in links."""
    return "".join(
        MARK.sub(lambda mark: quote(by_mark.get(mark[0], ""), safe="@"), piece)
        if number % 2
        else MARK.sub(lambda mark: entities.escape(by_mark.get(mark[0], "")), piece)
        for number, piece in enumerate(PIECES.split(html))
    )


def for_text(html: str) -> str:
    """The HTML as the text of a mail is made of it: with the alternative text in place of each
    picture, and the address behind the words of each link."""
    tree = LexborHTMLParser(html)
    for node in tree.css("img"):
        node.replace_with(node.attributes.get("alt") or "")
    for node in tree.css("a[href]"):
        address = (node.attributes.get("href") or "").removeprefix("mailto:")
        words = " ".join(node.text().split())
        if address not in words and not address.startswith("#"):
            node.replace_with(f"{words} ({address})".strip() if words else address)
    return (tree.body.inner_html if tree.body is not None else "") or ""


def _refuse_fetching(css: str) -> None:
    if found := FETCHES.search(css):
        raise Refused(f"{found[0].strip()} cannot stand in a style: only plain rules can")
    if MARK.search(css):
        raise Refused("a variable cannot stand in a style")


def _check_attribute(tag: str, name: str, value: str) -> None:
    """Raises Refused where an attribute acts, loads what it must not, or holds a variable."""
    if MARK.search(value) and not (name == "href" and FIXED_START.match(value)):
        raise Refused(f"a variable cannot stand in {name}, only behind https://name/ of a link")
    if name.lower().startswith("on"):
        raise Refused(f"{name} cannot stand in a mail: nothing runs there")
    if name in ("style", "background"):
        _refuse_fetching(value)
    if name == "background" and value:
        raise Refused("background cannot stand in a mail; use bgcolor")
    if tag == "img" and name == "src" and not value.startswith("https://"):
        hint = "; mail programs show no data: pictures" * value.startswith("data:")
        raise Refused(f"the address of a picture begins with https://{hint}")
    if name in ("src", "href", "srcset") and value and tag not in ("a", "img"):
        raise Refused(f"{name} cannot stand in <{tag}>")
    if name == "href" and not re.match(r"(?:https?|mailto|tel):|\#", value, re.IGNORECASE):
        raise Refused(f"{value[:60]!r} is no address for a link; write https://…")
