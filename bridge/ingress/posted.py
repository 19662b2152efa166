"""An HTTP request that brings mail, and what is read from it. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from multipart import MultipartError, PushMultipartParser, parse_options_header

from bridge.model import Verdict

MOST_FIELDS = 200


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

    @property
    def media_type(self) -> str:
        return str(parse_options_header(self.content_type)[0]).casefold()

    def fields(self) -> list[tuple[str, bytes]]:
        """The fields of a form, byte for byte, in their order; files among them by their field's
        name. Raises Broken; Unusable where there is no form."""
        kind, options = parse_options_header(self.content_type)
        if kind.casefold() == "application/x-www-form-urlencoded":
            try:  # as Latin-1 there and back, no byte is changed
                pairs = parse_qsl(
                    self.body.decode("latin-1"), encoding="latin-1", keep_blank_values=True,
                    max_num_fields=MOST_FIELDS,
                )  # fmt: skip
            except ValueError as error:
                raise Broken(f"a form that cannot be read: {error}") from error
            return [
                (name.encode("latin-1").decode("utf-8", "replace"), value.encode("latin-1"))
                for name, value in pairs
            ]
        if kind.casefold() != "multipart/form-data":
            raise Unusable(f"a form was expected, not {kind[:60] or 'nothing'}")
        return self._parts(options.get("boundary", ""))

    def _parts(self, boundary: str) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        pieces: list[bytes] = []
        name = ""
        if not boundary:
            raise Broken("a form without a boundary")
        try:
            with PushMultipartParser(boundary, max_segment_count=MOST_FIELDS) as parser:
                for piece in (*parser.parse(self.body), *parser.parse(b"")):
                    if piece is None:
                        found.append((name, b"".join(pieces)))
                    elif isinstance(piece, bytes | bytearray):
                        pieces.append(bytes(piece))
                    else:
                        name, pieces = piece.name, []
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
