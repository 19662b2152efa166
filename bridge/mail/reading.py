"""Read a mail completely: its parts, its new content, and its HTML for Matrix."""

from __future__ import annotations

import re
from dataclasses import replace

from pydantic import TypeAdapter

from bridge.mail.forwarded import quoted
from bridge.mail.html import to_text
from bridge.mail.parse import as_bytes, headers_only, parse
from bridge.mail.quote import Body, split
from bridge.model import Mail

LARGE_SIZE, MANY_PARTS = 200_000, 100
"""Bytes, and number of parts, above which reading a mail may take noticeable time."""
LONG = 10_000
"""Characters above which a mail may be too long for one event."""
PARCEL = re.compile(rb"ms-tnef|winmail\.dat", re.IGNORECASE)


def read(raw: bytes, authserv_id: str = "", own: frozenset[str] = frozenset()) -> tuple[Mail, Body]:
    """The mail and its split body. Never raises: `Mail.problem` says what went wrong."""
    mail = parse(raw, authserv_id, own)
    try:
        mail = replace(mail, forwarded=quoted(mail) or mail.forwarded)
        body = split(mail)
        if len(mail.text) + len(body.html) + len(body.html_history) > LONG:
            body = replace(body, whole=_whole(mail))
        return mail, body
    except Exception as error:  # noqa: BLE001 - a mail that cannot be folded is shown as text
        what = mail.problem or f"{type(error).__name__} while folding it"
        return replace(mail, html="", problem=what), Body(mail.text, "", "", "")


def _whole(mail: Mail) -> str:
    """The whole text of a mail, and that of its HTML, if that has other words."""
    rest = to_text(mail.html) if mail.html else ""
    more = set(rest.split()) - set(mail.text.split())
    return f"{mail.text}\n\n{rest}" if more else mail.text


def given_up(
    raw: bytes, problem: str, authserv_id: str = "", own: frozenset[str] = frozenset()
) -> tuple[Mail, Body]:
    """The result for a mail whose reading took too long or too much memory: headers only."""
    mail = headers_only(raw, problem, authserv_id, own)
    return mail, Body(mail.text, "", "", "")


def unreadable(raw: bytes, problem: str) -> tuple[Mail, Body]:
    """The result for a mail whose headers could not be read either: the start of its bytes."""
    mail = as_bytes(raw, problem)
    return mail, Body(mail.text, "", "", "")


def is_large(raw: bytes) -> bool:
    """Whether reading a mail may take long: it is large, has very many parts, or has a winmail.dat
    of Outlook. Looks only at the bytes."""
    if len(raw) > LARGE_SIZE or raw.count(b"\n--") > MANY_PARTS:
        return True
    return PARCEL.search(raw) is not None


RESULT: TypeAdapter[tuple[Mail, Body]] = TypeAdapter(tuple[Mail, Body])
"""Serialises the result of the sandboxed reader process."""
