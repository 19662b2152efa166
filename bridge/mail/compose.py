"""The bytes of a mail that leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address as HeaderAddress
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime

from markdown_it import MarkdownIt

from bridge.mail.charset import clean, clean_line
from bridge.mail.html import from_text, sanitise, to_text
from bridge.mail.thread import base_subject
from bridge.model import Address, MessageId, Permanent

MAX_REFERENCES = 40
"""Ids kept in References: the first and the newest of them (RFC 5322 §3.6.4 allows trimming)."""
markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False}).enable(
    ["table", "strikethrough"]
)


class MessageIds(UnstructuredHeader):
    """In-Reply-To and References: ids joined by folds and never encoded.

    The package would write a long id as an encoded word, which breaks threading
    (python/cpython#100991).
    """

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {(policy.linesep + ' ').join(str(self).split())}{policy.linesep}"


_registry = HeaderRegistry()
for _name in ("in-reply-to", "references", "message-id"):
    _registry.map_to_type(_name, MessageIds)  # type: ignore[arg-type]  # the registry mixes BaseHeader in
POLICY = SMTP.clone(header_factory=_registry, max_line_length=78)


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach."""

    name: str
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Everything a mail is made of. `html` may be empty: it is then made from `text`."""

    message_id: MessageId
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    at: float
    text: str
    html: str
    signature: str = ""
    in_reply_to: MessageId | None = None
    references: tuple[MessageId, ...] = ()
    files: tuple[File, ...] = ()
    reply_to: Address | None = None
    automatic: bool = False
    """Written by no person (RFC 3834)."""


def build(mail: Outgoing) -> bytes:
    """The finished bytes, CRLF line ends, 7-bit clean. Raises Permanent naming what is wrong."""
    try:
        return _build(mail)
    except (UnicodeError, ValueError, LookupError) as error:
        raise Permanent(f"the mail cannot be written: {error}") from error


def _build(mail: Outgoing) -> bytes:
    message = EmailMessage(policy=POLICY)
    message["From"] = _header_address(mail.sender)
    if mail.to:
        message["To"] = [_header_address(address) for address in mail.to]
    if mail.cc:
        message["Cc"] = [_header_address(address) for address in mail.cc]
    if mail.reply_to is not None:
        message["Reply-To"] = _header_address(mail.reply_to)
    if mail.automatic:
        message["Auto-Submitted"] = "auto-generated"
    message["Subject"] = clean_line(mail.subject, 900)
    message["Date"] = format_datetime(datetime.fromtimestamp(mail.at, UTC))
    message["Message-ID"] = mail.message_id
    if mail.in_reply_to and mail.in_reply_to.isascii():
        message["In-Reply-To"] = mail.in_reply_to
    if mail.references:
        message["References"] = " ".join(mail.references)
    text, html = _bodies(mail)
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    for file in mail.files:
        maintype, _, subtype = file.type.partition("/")
        if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", file.type) or maintype in (
            "message",
            "multipart",
        ):
            maintype, subtype = "application", "octet-stream"
        message.add_attachment(
            file.data,
            maintype=maintype,
            subtype=subtype,
            filename=clean_line(file.name, 120) or "file",
            cte="base64",
        )
    raw = message.as_bytes(policy=POLICY)
    if re.search(rb"\r(?!\n)|(?<!\r)\n", raw):
        raise Permanent("the mail would hold a bare line break and was not built")
    return raw


def _bodies(mail: Outgoing) -> tuple[str, str]:
    text = clean(mail.text).strip()
    html = mail.html or to_html(text)
    if mail.signature.strip():
        signature = clean(mail.signature).strip()
        text = f"{text}\n\n-- \n{signature}"  # RFC 3676 §4.3
        html = f"{html}\n<div>-- <br>\n{from_text(signature)}</div>"
    page = (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n{html}\n</body></html>'
    )
    return f"{text}\n", f"{page}\n"


def to_html(text: str) -> str:
    """Markdown as an agent types it to HTML; raw HTML in it is shown, not obeyed."""
    return str(markdown.render(text)).strip()


def from_matrix(formatted: str) -> tuple[str, str]:
    """(text, HTML) of a message's formatted_body: mentions become plain names."""
    html = re.sub(r"<mx-reply>.*?</mx-reply>", "", formatted[:200_000], count=1, flags=re.DOTALL)
    html = re.sub(
        r"<a\s[^>]*href=[\"']https://matrix\.to/#/[^\"']*[\"'][^>]*>(.*?)</a>",
        r"\1",
        html,
        flags=re.DOTALL,
    )
    html = sanitise(html)
    return to_text(html), html


def reply_subject(subject: str) -> str:
    """`Re:` once, whatever stood there."""
    base = base_subject(subject)
    return f"Re: {base}" if base else "Re: your message"


def references_for(parent: MessageId, older: Sequence[MessageId]) -> tuple[MessageId, ...]:
    """References of an answer: the parent's and the parent itself, bounded."""
    chain = tuple(each for each in dict.fromkeys((*older, parent)) if each.isascii())
    return chain if len(chain) <= MAX_REFERENCES else (chain[0], *chain[1 - MAX_REFERENCES :])


def _header_address(address: Address) -> HeaderAddress:
    local, _, domain = address.spec.rpartition("@")
    try:
        return HeaderAddress(clean_line(address.name, 120), local.strip('"'), domain)
    except ValueError as error:
        raise Permanent(f"{address.spec} cannot be written as an address: {error}") from error
