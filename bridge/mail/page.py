"""The original of a mail as a web page. A sandbox keeps its content from acting, and from telling
the sender that it was opened."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser

from bridge.mail import calendar
from bridge.mail.compose import PICTURES
from bridge.mail.html import too_deep
from bridge.mail.limits import size
from bridge.model import Address, Mail, Verdict

GONE = (
    "script, iframe, frame, frameset, object, embed, applet, base, meta, link, noscript, template, "
    "input, button, select, textarea, audio, video, source, track, portal"
)
ACTING = re.compile(r"on.*|srcdoc|ping|action|formaction|http-equiv|manifest|poster|data-.*", re.I)
WEB = re.compile(r"\s*(?:https?:|mailto:)", re.IGNORECASE)
REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
REMOTE_STYLE = re.compile(r"url\(\s{0,20}[\"']?\s{0,20}(?:https?:)?//", re.IGNORECASE)
INNER_STYLE = (
    "html{background:#fff;color:#222}body{margin:12px;font:15px/1.45 system-ui,sans-serif;"
    "overflow-wrap:anywhere}img{max-width:100%;height:auto}pre{white-space:pre-wrap;font:inherit}"
    "table{max-width:100%}"
    # on phones, ignore widths made for desktops
    "@media(max-width:640px){*{max-width:100%!important;min-width:0!important}"
    "table:not([width='100%']),tbody,tr,td,th,div{width:auto!important}}"
)
OUTER_STYLE = """
*{box-sizing:border-box}
body{margin:0;height:100vh;height:100dvh;display:flex;flex-direction:column;background:#f4f5f7;
color:#1d2129;font:15px/1.4 system-ui,sans-serif}
header{padding:12px 16px 10px;background:#fff;border-bottom:1px solid #dde1e6}
h1{margin:0 0 6px;font-size:18px;overflow-wrap:anywhere}
dl{margin:0;display:grid;grid-template-columns:auto 1fr;gap:1px 10px;font-size:14px}
dt{color:#6b7480}dd{margin:0;overflow-wrap:anywhere}
.note{margin:8px 0 0;padding:6px 10px;border-radius:6px;background:#fff4d6;font-size:14px}
nav{margin-top:10px;display:flex;flex-wrap:wrap;gap:8px}
nav a{padding:6px 12px;border:1px solid #c7cdd4;border-radius:16px;color:#1d2129;font-size:14px;
text-decoration:none;background:#fff}
nav a.main{background:#0b6bcb;border-color:#0b6bcb;color:#fff}
iframe{flex:1;width:100%;min-height:0;border:0;background:#fff}
main{max-width:40em;margin:15vh auto;padding:0 16px}
"""


@dataclass(frozen=True, slots=True)
class View:
    """The chosen view of a mail: HTML or text, with or without remote pictures."""

    as_text: bool = False
    pictures: bool = False

    @property
    def query(self) -> str:
        parts = ["text=1"] * self.as_text + ["pictures=1"] * self.pictures
        return f"?{'&'.join(parts)}" if parts else ""


def outer_policy(url: str, nonce: str) -> str:
    """The Content-Security-Policy of the frame page. `url` is the base URL of the mail's pages."""
    parts = urlsplit(url)
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; frame-src {parts.scheme}://{parts.netloc};"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


def inner_policy(url: str, view: View) -> str:
    """The Content-Security-Policy of the mail itself: a sandbox without scripts, forms or origin.
    Only inline pictures are fetched, and remote pictures if the viewer asked for them."""
    remote = " https: http:" if view.pictures else ""
    return (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
        f" img-src data: {url}/part/{remote}; style-src 'unsafe-inline'; font-src data:;"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )


def frame(mail: Mail, url: str, view: View, nonce: str) -> str:
    """The page around a mail: its header fields, warnings, and links to other views."""
    rows = [("From", _people((mail.sender,))), ("To", _people(mail.to)), ("Cc", _people(mail.cc))]
    if mail.date:
        rows.append(("Date", time.strftime("%a, %d %b %Y %H:%M UTC", time.gmtime(mail.date))))
    if mail.attachments:
        files = [f"{each.name} ({size(each.size)})" for each in mail.attachments[:20]]
        rows.append(("Files", ", ".join(files)))
    shown = "".join(f"<dt>{key}</dt><dd>{_safe(text)}</dd>" for key, text in rows if text)
    doubts = [calendar.in_zone(each, None) for each in mail.notes]
    if mail.sender_verdict is Verdict.FAIL:
        doubts.append(f"⚠️ sender check failed: this may not be from {mail.sender.spec}")
    if mail.problem:
        doubts.append(f"⚠️ this mail could not be read whole: {mail.problem}")
    notes = "".join(f'<p class="note">{_safe(text)}</p>' for text in doubts)
    subject = _safe(mail.subject or "(no subject)")
    return (
        f"{_head(subject, nonce)}<header><h1>{subject}</h1><dl>{shown}</dl>{notes}"
        f"<nav>{_buttons(mail, url, view)}</nav></header>"
        f'<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="The mail"'
        f' referrerpolicy="no-referrer" src="{url}/body{html.escape(view.query)}"></iframe>'
    )


def _head(title: str, nonce: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport"'
        f' content="width=device-width,initial-scale=1"><title>{title}</title>'
        f'<style nonce="{nonce}">{OUTER_STYLE}</style>'
    )


def _buttons(mail: Mail, url: str, view: View) -> str:
    found = []
    remote = _remote_pictures(mail.html) if mail.html and not view.as_text else 0
    if remote and not view.pictures:
        many = f"{remote} remote pictures" if remote > 1 else "1 remote picture"
        found.append(f'<a class="main" href="{url}?pictures=1">Show {many}</a>')
    elif view.pictures and not view.as_text:
        found.append(f'<a href="{url}">Hide remote pictures</a>')
    if mail.html:
        other = f'<a href="{url}">HTML</a>' if view.as_text else f'<a href="{url}?text=1">Text</a>'
        found.append(other)
    found.append(f'<a href="{url}/source">Source</a><a href="{url}/mail.eml">Download .eml</a>')
    return "".join(found)


def notice(title: str, text: str, nonce: str) -> str:
    """A page that says one thing."""
    return f"{_head('Postroom', nonce)}<main><h1>{_safe(title)}</h1><p>{_safe(text)}</p></main>"


def inner(mail: Mail, url: str, view: View) -> str:
    """The mail itself as an HTML document, for the sandboxed frame."""
    if view.as_text or not mail.html or too_deep(mail.html):
        content = f"<pre>{_safe(mail.text)}</pre>"
        return f'<!DOCTYPE html><meta charset="utf-8"><style>{INNER_STYLE}</style>{content}'
    tree = LexborHTMLParser(mail.html)
    for node in tree.css(GONE):
        node.decompose()
    parts = {each.content_id: f"{url}/part/{each.part}" for each in mail.attachments
             if each.content_id and each.type in PICTURES}  # fmt: skip
    for node in tree.css("*"):
        attributes = node.attributes
        for name in [name for name in attributes if ACTING.fullmatch(name)]:
            del node.attrs[name]
        if node.tag in ("a", "area"):
            _link(node, attributes)
        elif node.tag == "form":
            node.unwrap()
        elif node.tag == "img":
            _picture(node, attributes, parts, view)
    head = f'<meta charset="utf-8"><style>{INNER_STYLE}</style>'
    return f"<!DOCTYPE html>{head}{tree.html or ''}"


def _link(node: object, attributes: Mapping[str, str | None]) -> None:
    attrs = node.attrs  # type: ignore[attr-defined]  # a LexborNode
    if WEB.match(attributes.get("href") or ""):
        attrs["target"], attrs["rel"] = "_blank", "noopener noreferrer nofollow"
    elif "href" in attributes:
        del attrs["href"]


def _picture(
    node: object, attributes: Mapping[str, str | None], parts: Mapping[str, str], view: View
) -> None:
    attrs = node.attrs  # type: ignore[attr-defined]  # a LexborNode
    source = attributes.get("src") or ""
    if source.lower().startswith("cid:") and unquote(source[4:]) in parts:
        attrs["src"] = parts[unquote(source[4:])]
    elif not view.pictures and not source.startswith("data:"):
        # show the alternative text instead of a broken picture
        alt = " ".join((attributes.get("alt") or "").split())
        node.replace_with(f"[picture: {alt}]" if alt else "")  # type: ignore[attr-defined]  # a LexborNode


def _remote_pictures(source: str) -> int:
    tree = LexborHTMLParser(source)
    shown = sum(bool(REMOTE.match(img.attributes.get("src") or "")) for img in tree.css("img[src]"))
    backgrounds = len(tree.css("[background]")) + len(REMOTE_STYLE.findall(source))
    return shown + backgrounds


def _people(addresses: tuple[Address, ...]) -> str:
    more = f" and {len(addresses) - 20} more" if len(addresses) > 20 else ""
    return ", ".join(map(str, addresses[:20])) + more


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
