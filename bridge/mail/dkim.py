"""Signatures of mail (RFC 6376): whose keys are needed, and which domains have signed. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from email.parser import BytesHeaderParser
from email.policy import compat32

from bridge.mail import header
from bridge.mail.limits import END_OF_HEADERS
from bridge.model import ascii_domain

MOST = 5
"""Signatures of a mail that are looked at; the topmost are the last that were made."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


def key_names(raw: bytes) -> list[str]:
    """The names under which DNS has the keys of a mail's signatures, each once."""
    found = END_OF_HEADERS.search(raw)
    head = raw[: found.end() if found else len(raw)][:100_000]
    try:
        values = header.raw_values(BytesHeaderParser(policy=compat32).parsebytes(head), FIELD)
    except Exception:  # noqa: BLE001 - the email package raises almost anything
        return []
    names = []
    for value in values[:MOST]:
        tags = _tags(value)
        selector, domain = tags.get("s", ""), ascii_domain(tags.get("d", ""))
        name = f"{selector}._domainkey.{domain}"
        if selector and "." in domain and NAME.fullmatch(name) and len(name) < 250:
            names.append(name.lower())
    return list(dict.fromkeys(names))


FIELD = "dkim-signature"


def _tags(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.split(";"))
    return {name.strip().lower(): "".join(text.split()) for name, _, text in pairs}


def signed_by(raw: bytes, keys: Mapping[str, str]) -> list[str]:
    """The domains that have signed the whole of a mail; `keys` are the records by name. A signature
    over a part of the body (`l=`) counts for nothing: anybody may have written the rest."""
    import dkim  # here: it takes a tenth of a second, and most mail needs none

    found = []
    signed = dkim.DKIM(raw, minkey=1024)
    values = [value for name, value in signed.headers if name.lower() == FIELD.encode()]
    for number, value in enumerate(values[:MOST]):
        tags = _tags(value.decode("ascii", "replace"))
        with contextlib.suppress(Exception):  # whatever is odd about it, it proves nothing
            if "l" not in tags and signed.verify(number, lambda name, timeout=5: _key(keys, name)):
                found.append(ascii_domain(tags["d"]))
    return list(dict.fromkeys(found))


def _key(keys: Mapping[str, str], name: bytes) -> bytes | None:
    record = keys.get(name.decode("ascii", "replace").rstrip(".").lower())
    return record.encode("ascii", "replace") if record is not None else None


def vouches(domain: str, sender: str) -> bool:
    """Whether the signature of a domain vouches for a sender at another one: it is the same, or
    one lies within the other (RFC 7489 §3.1.1, relaxed)."""
    return domain == sender or domain.endswith(f".{sender}") or sender.endswith(f".{domain}")
