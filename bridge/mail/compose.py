"""Build the bytes of outgoing mails."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address as HeaderAddress
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal

from bridge.mail.address import idna
from bridge.mail.bare_links import linked
from bridge.mail.charset import clean, clean_line
from bridge.mail.html import from_text
from bridge.mail.message_ids import MessageIds, can_stand
from bridge.mail.named_part import NamedContentType, add_name
from bridge.mail.relay import OWN_ID
from bridge.mail.template import Letterhead
from bridge.mail.thread import base_subject
from bridge.mail.written import to_html
from bridge.model import Address, MessageId, Permanent

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Picture types that every mail program shows inline."""
NO_LETTERHEAD = Letterhead()


_registry = HeaderRegistry()
for _name in ("in-reply-to", "references", "message-id", OWN_ID.lower()):
    _registry.map_to_type(_name, MessageIds)  # type: ignore[arg-type]  # the registry mixes BaseHeader in
_registry.map_to_type("content-type", NamedContentType)  # type: ignore[arg-type]  # the same
POLICY = SMTP.clone(header_factory=_registry, max_line_length=78, cte_type="7bit")


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach; a picture with `shown` is displayed inside the text."""

    name: str
    type: str
    data: bytes
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """The answered mail, quoted below the answer. `intro` is “On … wrote:”."""

    intro: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A mail that is forwarded inside another: (name, value) of its header fields, text, HTML."""

    head: tuple[tuple[str, str], ...]
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """All content of an outgoing mail. If `html` is empty, it is made from `text`."""

    message_id: MessageId
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    at: float
    text: str
    html: str
    letterhead: Letterhead = NO_LETTERHEAD
    in_reply_to: MessageId | None = None
    references: tuple[MessageId, ...] = ()
    files: tuple[File, ...] = ()
    reply_to: Address | None = None
    quote: Quote | None = None
    forwarded: tuple[Passage, ...] = ()
    automatic: Literal["", "auto-generated", "auto-replied"] = ""
    """Value of Auto-Submitted (RFC 3834 §5); empty for mail written by a person."""
    refers_to_itself: bool = False
    """Whether its own id stands first in References, as a relay may replace Message-ID."""


def build(mail: Outgoing) -> bytes:
    """The finished mail with CRLF line ends, in ASCII unless an address is not ASCII. Raises
    Permanent naming the fault."""
    try:
        return _build(mail)
    except (UnicodeError, ValueError, LookupError) as error:
        raise Permanent(f"the mail cannot be written: {error}") from error


def _build(mail: Outgoing) -> bytes:
    named = (mail.sender, *mail.to, *mail.cc, *([mail.reply_to] if mail.reply_to else []))
    policy = POLICY.clone(utf8=not all(idna(each.spec).isascii() for each in named))  # RFC 6532
    message = EmailMessage(policy=policy)
    for name, value in _headers(mail):
        message[name] = value
    _fill(message, mail)
    raw = message.as_bytes(policy=policy)
    _check(raw, [name for name, _ in _headers(mail)])
    return raw


def _headers(mail: Outgoing) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = [("From", _header_address(mail.sender))]
    if mail.to:
        found.append(("To", [_header_address(address) for address in mail.to]))
    if mail.cc:
        found.append(("Cc", [_header_address(address) for address in mail.cc]))
    if mail.reply_to is not None:
        found.append(("Reply-To", _header_address(mail.reply_to)))
    if mail.automatic:
        found += [
            ("Auto-Submitted", mail.automatic), ("X-Auto-Response-Suppress", "All"),
            ("X-Loop", idna(mail.sender.spec)),
        ]  # fmt: skip
    found += [
        ("Subject", _no_word(clean_line(mail.subject, 900))),
        ("Date", format_datetime(datetime.fromtimestamp(mail.at, UTC))),
        ("Message-ID", mail.message_id),
        (OWN_ID, mail.message_id),
    ]
    if mail.in_reply_to and can_stand(mail.in_reply_to):
        found.append(("In-Reply-To", mail.in_reply_to))
    references = ((mail.message_id,) if mail.refers_to_itself else ()) + mail.references
    if references:
        found.append(("References", " ".join(references)))
    return found


def plain(mail: Outgoing) -> str:
    """The plain text of the mail as its reader sees it."""
    return _bodies(mail, [("", file) for file in _shown(mail)])[0].strip()


def page(mail: Outgoing) -> str:
    """The HTML of the mail, without its pictures."""
    return _bodies(mail, [])[1]


def _shown(mail: Outgoing) -> list[File]:
    return [file for file in mail.files if file.shown and file.type in PICTURES]


def _fill(message: EmailMessage, mail: Outgoing) -> None:
    """Add text and HTML as alternatives, pictures related to the HTML, and then the other files."""
    shown = _shown(mail)
    own, domain = hashlib.sha256(mail.message_id.encode()).hexdigest()[:12], mail.sender.domain
    ids = [f"{own}.{n}@{idna(f'x@{domain}')[2:]}" for n in range(1, len(shown) + 1)]
    text, html = _bodies(mail, list(zip(ids, shown, strict=True)))
    message.set_content(text)  # quoted-printable or base64, whichever is shorter
    message.add_alternative(html, subtype="html")
    page = message.get_body(("html",))
    for content_id, file in zip(ids, shown, strict=True):
        assert isinstance(page, EmailMessage)
        name = clean_line(file.name, 120) or "picture"
        page.add_related(
            file.data, *file.type.split("/"), cid=f"<{content_id}>", disposition="inline",
            filename=name,
        )  # fmt: skip
        add_name(_last(page), name)
    for file in mail.files:
        if file not in shown:
            _attach(message, file)


def _attach(message: EmailMessage, file: File) -> None:
    type_, _, more = file.type.partition(";")
    maintype, _, subtype = type_.strip().partition("/")
    odd = re.fullmatch(r"[\w.+-]+/[\w.+-]+", type_.strip()) is None
    if odd or maintype in ("message", "multipart"):
        maintype, subtype = "application", "octet-stream"
    name = clean_line(file.name, 120) or "file"
    message.add_attachment(
        file.data, maintype=maintype, subtype=subtype, cte="base64", filename=name,
        params={"charset": "utf-8"} if "utf-8" in more.casefold() and not odd else None,
    )  # fmt: skip
    add_name(_last(message), name)


def _last(message: EmailMessage) -> EmailMessage:
    """The part that was added last."""
    *_, last = message.iter_parts()
    assert isinstance(last, EmailMessage)
    return last


def _check(raw: bytes, names: Sequence[str]) -> None:
    """Check that no text injected a header or a bare line break. Raises Permanent."""
    if re.search(rb"\r(?!\n)|(?<!\r)\n", raw):
        raise Permanent("the mail would hold a bare line break and was not built")
    head = raw.partition(b"\r\n\r\n")[0]
    written = {line[0].lower() for line in re.findall(rb"(?m)^([^\s:]+)(:)", head)}
    allowed = {name.lower().encode() for name in names} | {
        b"mime-version", b"content-type", b"content-transfer-encoding"
    }  # fmt: skip
    if not written <= allowed:
        raise Permanent("the mail would hold a header nobody asked for and was not built")


def _bodies(mail: Outgoing, pictures: Sequence[tuple[str, File]]) -> tuple[str, str]:
    text = clean(mail.text).strip()
    html = linked(mail.html) if mail.html else to_html(text)
    for content_id, file in pictures:
        name = from_text(clean_line(file.name, 120)).replace('"', "&quot;")
        html += f'\n<p><img src="cid:{content_id}" alt="{name}" style="max-width:100%"></p>'
        text = f"{text}\n\n[{clean_line(file.name, 120)}]".strip()
    around = mail.letterhead
    text = "\n\n".join(filter(None, (around.header.text, around.greeting.text, text)))
    above = (f"<div>{each.html}</div>" for each in (around.header, around.greeting) if each.html)
    html = "\n".join((*above, html))
    if around.signature.text:
        text = f"{text}\n\n-- \n{around.signature.text}"  # RFC 3676 §4.3
    if around.signature.html:
        signed = around.signature.html.removeprefix("<p>")  # a paragraph would stand apart
        signed = f'<p style="margin-top:0">{signed}' if signed != around.signature.html else signed
        html = f"{html}\n<div>-- <br>\n{signed}</div>"
    if around.footer.html:
        text = f"{text}\n\n{around.footer.text}".strip()
        html = f"{html}\n<div>{around.footer.html}</div>"
    if mail.quote is not None:
        quoted = "\n".join(f"> {line}" for line in clean(mail.quote.text).strip().splitlines())
        text = f"{text}\n\n{mail.quote.intro}\n{quoted}"
        # mail programs, and our own reader, recognise and fold quotes by this class
        html += (
            '\n<div class="gmail_quote">'
            f'<div class="gmail_attr">{from_text(mail.quote.intro)}</div>'
            f'<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;'
            f'padding-left:1ex">{mail.quote.html or from_text(mail.quote.text)}</blockquote></div>'
        )
    for passage in mail.forwarded:
        written, marked = _passage(passage)
        text, html = f"{text}\n\n{written}", f"{html}\n{marked}"
    text = text.strip()
    page = (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n{html}\n</body></html>'
    )
    return f"{text}\n", f"{page}\n"


def _passage(passage: Passage) -> tuple[str, str]:
    """(text, HTML) of a forwarded mail with its header fields, in the form mail programs use."""
    line = "---------- Forwarded message ---------"
    head = [f"{name}: {clean_line(value, 900)}" for name, value in passage.head]
    text = "\n".join((line, *head, "", clean(passage.text).strip()))
    above = from_text("\n".join((line, *head)))
    html = (
        f'<div class="gmail_quote"><div class="gmail_attr">{above}</div><br>'
        f"{passage.html or from_text(passage.text)}</div>"
    )
    return text, html


def forward_subject(subject: str) -> str:
    """The subject with exactly one `Fwd:` in place of its prefixes."""
    return f"Fwd: {base_subject(subject)}".strip()


def reply_subject(subject: str) -> str:
    """The subject with exactly one `Re:` in place of its prefixes."""
    base = base_subject(subject)
    return f"Re: {base}" if base else "Re: your message"


def _no_word(text: str) -> str:
    """A text in which nothing looks like an encoded word (RFC 2047), which readers would decode."""
    return text.replace("=?", "= ?")


def _header_address(address: Address) -> HeaderAddress:
    local, _, domain = idna(address.spec).rpartition("@")
    try:
        return HeaderAddress(_no_word(clean_line(address.name, 120)), local.strip('"'), domain)
    except ValueError as error:
        raise Permanent(f"{address.spec} cannot be written as an address: {error}") from error
