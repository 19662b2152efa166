"""An HTTP request that brings mail, and what is read from it. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from multipart import MultipartError, PushMultipartParser, parse_options_header

from bridge.model import Verdict

MOST_FIELDS = 200
Field = tuple[str, bytes, str, str]
"""(name, value, file name, type) of a field of a form."""


class Unusable(Exception):
    """The request holds no mail; the text says what was expected."""


class Broken(Exception):
    """The request cannot be read, perhaps because its end is missing: it may come again whole."""


class Forged(Exception):
    """The request is not proven to come from the provider; the text says why, and no secret."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A POST as it came, its body not parsed yet. What parses it raises Broken."""

    content_type: str
    headers: Mapping[str, str]
    """By lower-case name."""
    query: Mapping[str, str]
    body: bytes = field(repr=False)
    urls: tuple[str, ...] = ()
    """The addresses under which the provider may know ours; a signature may hold them."""
    _read: list[list[Field]] = field(default_factory=list, repr=False)
    """The fields, once they were parsed: a signature and the mail are read from the same."""

    @property
    def media_type(self) -> str:
        return str(parse_options_header(self.content_type)[0]).casefold()

    def fields(self) -> list[tuple[str, bytes]]:
        """The fields of a form, byte for byte, in their order; files among them by their field's
        name. Raises Broken; Unusable where there is no form."""
        return [(name, value) for name, value, _, _ in self._form()]

    def files(self) -> dict[str, tuple[str, str]]:
        """File name and type of each file of a form, by its field's name."""
        return {name: (file, type_) for name, _, file, type_ in self._form() if file}

    def _form(self) -> list[Field]:
        if not self._read:
            self._read.append(self._parsed())
        return self._read[0]

    def _parsed(self) -> list[Field]:
        kind, options = parse_options_header(self.content_type)
        if kind.casefold() == "application/x-www-form-urlencoded":
            pairs = self.body.split(b"&", MOST_FIELDS)
            if len(pairs) > MOST_FIELDS:
                raise Broken("a form with too many fields")
            found = []
            for pair in pairs:
                name, _, value = pair.partition(b"=")
                found.append((_unquoted(name).decode("utf-8", "replace"), _unquoted(value), "", ""))
            return found
        if kind.casefold() != "multipart/form-data":
            raise Unusable(f"a form was expected, not {kind[:60] or 'nothing'}")
        return self._parts(options.get("boundary", ""))

    def _parts(self, boundary: str) -> list[Field]:
        found: list[Field] = []
        pieces: list[bytes] = []
        name = file = type_ = ""
        if not boundary:
            raise Broken("a form without a boundary")
        try:
            with PushMultipartParser(boundary, max_segment_count=MOST_FIELDS) as parser:
                for piece in (*parser.parse(self.body), *parser.parse(b"")):
                    if piece is None:
                        found.append((name, b"".join(pieces), file, type_))
                    elif isinstance(piece, bytes | bytearray):
                        pieces.append(bytes(piece))
                    else:
                        pieces, name = [], piece.name
                        file, type_ = piece.filename or "", piece.content_type or ""
        except (MultipartError, UnicodeError, ValueError) as error:
            raise Broken(f"a form that cannot be read: {error}") from error
        return found

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Broken."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Broken("JSON was expected") from error
        if not isinstance(found, dict):
            raise Broken("a JSON object was expected")
        return found


@dataclass(frozen=True, slots=True)
class Received:
    """One mail that a request brought."""

    raw: bytes = field(repr=False)
    recipients: tuple[str, ...] = ()
    """Of the envelope: kept beside the mail and never written into it."""
    sender: str = ""
    key: str = ""
    """The provider's id of it, by which it is known when it comes again; empty for none."""
    verdict: Verdict = Verdict.NONE
    """The provider's own check of the sender."""
    remark: str = ""
    """What an admin should change at the provider."""


def _unquoted(text: bytes) -> bytes:
    """What was percent-encoded, byte for byte. By way of quoted-printable, which C code decodes:
    Python's own takes an object for each byte, so that 100 MB would fill the memory."""
    plain = text.replace(b"+", b" ")
    if b"%" not in plain:
        return plain
    return binascii.a2b_qp(plain.replace(b"=", b"%3D").replace(b"%", b"="))


def last(fields: list[tuple[str, bytes]], name: str) -> str:
    """The last value of a field as text; empty for none. Others may have put one before it."""
    values = [value for each, value in fields if each == name]
    return values[-1].decode("utf-8", "replace") if values else ""


def text_as_mail(value: Any) -> bytes:
    """Mail that came as text inside JSON. A surrogate that stands alone is no reason to lose it."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


def decoded(value: Any) -> bytes:
    """Bytes that came as base64; empty for what is none."""
    try:
        return base64.b64decode(value, validate=False) if isinstance(value, str) else b""
    except ValueError:
        return b""
