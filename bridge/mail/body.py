"""Split the parts of a mail into the text and HTML to show, and the files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message

from bridge.mail import calendar, header, textpart, tnef, tree
from bridge.mail.charset import clean_line
from bridge.mail.html import MAX_HTML, all_words, bare_text, from_text, has_text, to_text, too_deep
from bridge.mail.textpart import KINDS, MAX_TEXT
from bridge.mail.transfer import payload
from bridge.model import Attachment

MAX_NOTES = 10
MAX_MISSING = 5
"""A text alternative that lacks more than one in so many words of the HTML is not used in its
place."""
UNSHOWN = ("text/x-amp-html", "text/watch-html", "text/vnd.google.email-reaction+json")
"""Alternatives for certain programs, with nothing that the others lack."""
TOO_LONG = "it is too long"
TOO_DEEP = "it is nested too deeply"
TOO_MANY = f"it has {tree.MAX_PARTS:,} parts or more"
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\ufeff"))
URL = re.compile(r"(?:https?://|cid:|mailto:)\S+")
UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
"""Thai, Lao, Japanese and Chinese: scripts without blanks between words."""
WORDS = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
DATA = re.compile(r"data:[\w/+.-]{1,100};base64,[A-Za-z0-9+/=\s]{1000,}")
ENCRYPTED = (
    "🔒 encrypted ({}): only a mail program that has the key can read it; its parts are attached"
)
SIGNED = "🔏 signed (S/MIME); the signature is not checked"


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
        if not reading.unpacked:
            reading.keep_unread()
        pieces = reading.unpacked or reading.only_text() or pieces
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
        self._set_aside: list[tuple[Message, int]] = []
        """Text parts that are files because of their name or disposition, with their numbers."""
        self._shows_text = False
        self.unread: list[int] = []
        """Numbers of parts whose text is in RTF, which is not read."""
        self.problem = TOO_MANY if len(self._leaves) >= tree.MAX_PARTS else ""

    def keep_unread(self) -> None:
        for number in self.unread:
            self._file(number)

    def only_text(self) -> list[Piece]:
        """The only text part of the mail, which was taken for a file. One that is called an
        attachment stays a file as well."""
        if self._shows_text or len(self._set_aside) != 1:
            return []
        part, number = self._set_aside[0]
        if not _is_attachment(part):
            self.files = [each for each in self.files if each.part != number]
        return [self._shown(part, part.get_content_type())]

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
        if tree.is_smime(part):
            self.notes.append(SIGNED)
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
            parcel = tnef.unpack(payload(part))
            if parcel is not None and (parcel.files or parcel.text or parcel.html):
                self._open(part, parcel)
                if parcel.has_rtf and number is not None:
                    self.unread.append(number)
                return []
        self._note(part, kind)
        if kind in KINDS:
            self._set_aside.append((part, number))
        if kind not in UNSHOWN:
            self._file(number)
        return []

    def _is_shown(self, part: Message, kind: str) -> bool:
        if part is self._root and kind.startswith("multipart/"):
            return True  # a multipart without parts
        is_text = kind in KINDS
        if part is self._root and kind.startswith("text/") and kind != "text/calendar":
            is_text = True
        if not is_text or _is_attachment(part):
            return False
        disposition = header.text(part, "content-disposition", 1000)
        return not (disposition and tree.file_name(part))

    def _shown(self, part: Message, kind: str) -> Piece:
        self._shows_text = True
        for number in self._packed.get(id(part), ()):
            self._file(number)
        found = textpart.read(part, kind)
        if found.note and found.note not in self.notes:
            self.notes.append(found.note)
        whole = found.text
        if found.is_html and len(whole) > MAX_HTML:
            whole = DATA.sub("", whole)  # data: URLs, such as backgrounds
        text = whole[: min(self._left, self._html_left) if found.is_html else self._left]
        self._left -= len(text)
        self._html_left -= len(text) if found.is_html else 0
        if len(text) < len(whole) or found.is_cut:
            self.problem = TOO_LONG
        return _of_html(text) if found.is_html else Piece(text, "")

    def _open(self, part: Message, parcel: tnef.WinmailContents) -> None:
        for number in self._packed.get(id(part), ()):
            self._file(number)
        if has_text(parcel.html):
            self.unpacked.append(_of_html(parcel.html))
        elif parcel.text.strip():
            self.unpacked.append(Piece(parcel.text, ""))

    def _note(self, part: Message, kind: str) -> None:
        if kind in ("text/calendar", "application/ics"):
            self.notes += [each for each in calendar.lines(payload(part))
                           if each not in self.notes]  # fmt: skip
        elif tree.is_smime(part):
            self.notes.append(ENCRYPTED.format("S/MIME"))

    def _file(self, number: int) -> None:
        leaf = self._leaves[number]
        part = leaf.part
        inline = header.text(part, "content-disposition", 1000).lower().startswith("inline")
        content_id = clean_line(header.text(part, "content-id", 500)).strip("<> ")
        if leaf.packed is not None:
            content_id, inline = leaf.packed.content_id, False
        self.files.append(
            Attachment(
                part=number, name=tree.name_of(leaf, number), type=tree.type_of(leaf),
                size=len(leaf.data), content_id=content_id, inline=inline or bool(content_id),
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
    if words.strip() and not has_text(html):
        return [Piece(words, "")]
    if _lacks(words, all_words(html)):  # “view this mail in a browser”
        whole = "\n".join(piece.words for piece in rich[-1])
        if _lacks(words, whole):  # also of what is not hidden
            more = _vocabulary(words) - _vocabulary(whole)
            words = f"{whole}\n\n{words.strip()}" if more else whole
    return [Piece(words, html)]


def _lacks(text: str, other: str) -> bool:
    """Whether a text lacks more than a few of the words of another."""
    wanted = _vocabulary(other)
    return len(wanted - _vocabulary(text)) * MAX_MISSING > len(wanted)


def _vocabulary(text: str) -> set[str]:
    """The words of a text in one case, without URLs."""
    return set(WORDS.findall(URL.sub(" ", text.casefold().translate(INVISIBLE))))


def _joined(pieces: Sequence[Piece]) -> str:
    """Consecutive pieces as one HTML text."""
    return "\n".join(piece.html or f"<div>{from_text(piece.text)}</div>" for piece in pieces)


def _is_attachment(part: Message) -> bool:
    return header.text(part, "content-disposition", 1000).lower().startswith("attachment")
