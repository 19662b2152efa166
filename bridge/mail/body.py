"""Split the parts of a mail into the text and HTML to show, and the files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message

from bridge.mail import calendar, flowed, header, tnef, tree
from bridge.mail.charset import clean, clean_line, decode
from bridge.mail.html import MAX_HTML, bare_text, from_text, has_text, to_text, too_deep, words_in
from bridge.model import Attachment

MAX_TEXT = 2_000_000
"""Maximum characters of text that are read; the rest is only in the .eml."""
MAX_NOTES = 10
MIN_TEXT_RATIO = 3
"""A text alternative with so many times fewer words than the HTML is not used in its place."""
HTML = ("text/html", "application/xhtml+xml")
TOO_LONG = "it is too long"
TOO_DEEP = "it is nested too deeply"
TOO_MANY = f"it has {tree.MAX_PARTS:,} parts or more"
DATA = re.compile(r"data:[\w/+.-]{1,100};base64,[A-Za-z0-9+/=\s]{1000,}")
META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}charset\s{0,5}=\s{0,5}[\"']?([\w:.-]{2,40})", re.IGNORECASE
)
ENCRYPTED = (
    "🔒 encrypted ({}): only a mail program that has the key can read it; its parts are attached"
)
OPAQUE = "🔏 signed in a form that hides the text (S/MIME): a mail program can open the file"


@dataclass(frozen=True, slots=True)
class Contents:
    """The whole text and HTML of a mail, its files, and the notes to show above the text."""

    text: str
    html: str
    files: tuple[Attachment, ...]
    notes: tuple[str, ...]
    problem: str = ""
    """Why some content of the mail is missing here; empty if nothing is missing."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the content to show; either `text` or `html` may be empty."""

    text: str
    html: str

    @property
    def words(self) -> str:
        return self.text if self.text.strip() or not self.html else to_text(self.html)


def read(message: Message) -> Contents:
    """The contents of a mail (RFC 2046 §5.1). Of alternatives, the HTML is shown, with the text as
    its plain form; consecutive text parts are shown in order; all other parts are files."""
    reading = _Reading(message)
    pieces = reading.pieces(message, 0)
    if not any(piece.text.strip() or has_text(piece.html) for piece in pieces):
        pieces = reading.unpacked or pieces
        if not reading.unpacked:
            reading.keep_unread()
    html = ""
    if any(piece.html for piece in pieces):
        html = _joined(pieces)
    text = "\n".join(words for piece in pieces if (words := piece.words).strip())
    notes = tuple(reading.notes[:MAX_NOTES])
    return Contents(text, html, tuple(reading.files), notes, reading.problem)


class _Reading:
    """Reads the parts of a mail in one pass over the MIME tree."""

    def __init__(self, message: Message) -> None:
        self._root = message
        self._left, self._html_left = MAX_TEXT, MAX_HTML
        self._index: dict[int, int] = {}
        self._packed: dict[int, list[int]] = {}
        self._leaves = list(tree.leaves(message))
        for number, leaf in enumerate(self._leaves):
            if leaf.packed is None:
                self._index[id(leaf.part)] = number
            else:
                self._packed.setdefault(id(leaf.part), []).append(number)
        self.files: list[Attachment] = []
        self.notes: list[str] = []
        self.unpacked: list[Piece] = []
        """Text of a winmail.dat, shown if the mail has no other text."""
        self.unread: list[int] = []
        """Numbers of parts whose text is in RTF, which is not read."""
        self.problem = TOO_MANY if len(self._leaves) >= tree.MAX_PARTS else ""

    def keep_unread(self) -> None:
        for number in self.unread:
            self._file(number)

    def pieces(self, part: Message, depth: int) -> list[Piece]:
        inner = tree.children(part)
        if inner is None:
            return self._leaf(part)
        if depth >= tree.MAX_DEPTH:
            self.problem = TOO_DEEP
            return []
        kind = part.get_content_type()
        found = [self.pieces(each, depth + 1) for each in inner]
        if kind == "multipart/encrypted":
            what = "OpenPGP" if "pgp" in header.parameter(part, "content-type", "protocol") else ""
            self.notes.append(ENCRYPTED.format(what or "PGP or S/MIME"))
        if kind == "multipart/alternative":
            best = _best(found)
            self._unused(inner, found, best)
            return best
        return [piece for each in found for piece in each]

    def _unused(
        self, parts: Sequence[Message], found: Sequence[list[Piece]], best: Sequence[Piece]
    ) -> None:
        """Keep an alternative as a file if it has words that the chosen one lacks: alternatives
        should have the same content, but some do not."""
        if len(found) < 3 and any(piece.html for each in found for piece in each):
            return
        said = {word for piece in best for word in f"{piece.text} {piece.words}".split()}
        said |= {word for piece in best if piece.html for word in to_text(piece.html).split()}
        for part, pieces in zip(parts, found, strict=True):
            number = self._index.get(id(part))
            words = {word for piece in pieces for word in piece.words.split()}
            if number is not None and words - said:
                self._file(number)

    def _leaf(self, part: Message) -> list[Piece]:
        number = self._index.get(id(part))
        if number is None:  # beyond the limit of parts
            return []
        kind = part.get_content_type()
        if self._is_shown(part, kind):
            return [self._shown(part, kind)]
        if id(part) in self._packed or tree.is_winmail(part):
            parcel = tnef.unpack(tree.payload(part))
            if parcel is not None and (parcel.files or parcel.text or parcel.html):
                self._open(part, parcel)
                if parcel.has_rtf and number is not None:
                    self.unread.append(number)
                return []
        self._note(part, kind)
        self._file(number)
        return []

    def _is_shown(self, part: Message, kind: str) -> bool:
        if part is self._root and kind.startswith("multipart/"):
            return True  # a multipart without parts
        is_text = kind in ("text/plain", *HTML)
        if part is self._root and kind.startswith("text/") and kind != "text/calendar":
            is_text = True
        disposition = header.text(part, "content-disposition", 1000).lower()
        if not is_text or disposition.startswith("attachment"):
            return False
        return not (disposition and tree.file_name(part))

    def _shown(self, part: Message, kind: str) -> Piece:
        data = tree.payload(part)
        charset = header.parameter(part, "content-type", "charset")
        if kind in HTML and not charset:
            named = META_CHARSET.search(data[:2000])
            charset = named[1].decode() if named else ""
        whole = clean(decode(data[: 4 * MAX_TEXT], charset))
        if kind in HTML and len(whole) > MAX_HTML:
            whole = DATA.sub("", whole)  # pictures written into the HTML
        text = whole[: min(self._left, self._html_left) if kind in HTML else self._left]
        self._left -= len(text)
        self._html_left -= len(text) if kind in HTML else 0
        if len(text) < len(whole) or len(data) > 4 * MAX_TEXT:
            self.problem = TOO_LONG
        if kind not in HTML:
            if header.parameter(part, "content-type", "format").lower() == "flowed":
                spaced = header.parameter(part, "content-type", "delsp").lower() == "yes"
                text = flowed.unfold(text, delete_space=spaced)
            return Piece(text, "")
        return _of_html(text)

    def _open(self, part: Message, parcel: tnef.WinmailContents) -> None:
        for number in self._packed.get(id(part), ()):
            self._file(number)
        if has_text(parcel.html):
            self.unpacked.append(_of_html(parcel.html))
        elif parcel.text.strip():
            self.unpacked.append(Piece(parcel.text, ""))

    def _note(self, part: Message, kind: str) -> None:
        if kind in ("text/calendar", "application/ics"):
            self.notes += [each for each in calendar.lines(tree.payload(part))
                           if each not in self.notes]  # fmt: skip
        elif kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
            signed = "signed" in header.parameter(part, "content-type", "smime-type").lower()
            self.notes.append(OPAQUE if signed else ENCRYPTED.format("S/MIME"))

    def _file(self, number: int) -> None:
        leaf = self._leaves[number]
        part = leaf.part
        inline = header.text(part, "content-disposition", 1000).lower().startswith("inline")
        content_id = clean_line(header.text(part, "content-id", 500)).strip("<> ")
        own = leaf.packed is None
        self.files.append(
            Attachment(
                part=number, name=tree.name_of(leaf, number), type=tree.type_of(leaf),
                size=len(leaf.data), content_id=content_id if own else "",
                inline=own and (inline or bool(content_id)),
            )
        )  # fmt: skip


def _of_html(html: str) -> Piece:
    if too_deep(html):
        return Piece(bare_text(html), "")
    return Piece("", html)


def _best(found: Sequence[Sequence[Piece]]) -> list[Piece]:
    """The last alternative with HTML, with the text of the first text-only alternative."""
    rich = [each for each in found if any(piece.html for piece in each)]
    plain = [each for each in found if each and not any(piece.html for piece in each)]
    words = "\n".join(piece.text for each in plain[:1] for piece in each)
    if not rich:
        return [Piece(words, "")] if plain else []
    html = _joined(rich[-1])
    count = words_in(html)
    if words.strip() and not count:
        return [Piece(words, "")]
    if len(words.split()) * MIN_TEXT_RATIO < count:  # “view this mail in a browser”
        whole = "\n".join(piece.words for piece in rich[-1])
        more = set(words.split()) - set(whole.split())
        words = f"{whole}\n\n{words.strip()}" if more else whole
    return [Piece(words, html)]


def _joined(pieces: Sequence[Piece]) -> str:
    """Consecutive pieces as one HTML text."""
    return "\n".join(piece.html or f"<div>{from_text(piece.text)}</div>" for piece in pieces)
