"""Signatures of mail (RFC 6376): whose keys are needed, and which domains have signed. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from functools import cache

from publicsuffixlist import PublicSuffixList

from bridge.mail import header
from bridge.mail.limits import END_OF_HEADERS
from bridge.model import ascii_domain

MOST = 5
"""Signatures of a mail that are looked at; the topmost are the last that were made."""
ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
"""What counts (RFC 8301 §3.1); SHA-1 does not."""
SINGLE = (
    "from", "sender", "reply-to", "to", "subject", "date", "message-id", "content-type",
    "mime-version",
)  # fmt: skip
"""Fields of which one is shown or followed: a signature covers the last, others the first."""
COVERED = ("from", "reply-to", "subject")
"""Fields that count as their author's only where the signature covers them."""
NO_LINE_END = re.compile(rb"\r(?!\n)|\0")
NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


def key_names(raw: bytes) -> list[str]:
    """The names under which DNS has the keys of a mail's signatures, each once."""
    try:
        values = header.raw_values(_parsed(raw), FIELD)
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


def _parsed(raw: bytes) -> Message:
    return BytesHeaderParser(policy=compat32).parsebytes(_head(raw)[:100_000])


def _head(raw: bytes) -> bytes:
    found = END_OF_HEADERS.search(raw)
    return raw[: found.end()] if found else raw


def _tags(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.split(";"))
    return {name.strip().lower(): "".join(text.split()) for name, _, text in pairs}


def covers(message: Message, domain: str, field: str) -> bool:
    """Whether there are signatures that vouch for a sender's domain, and each of them covers a
    field: whichever of them was found good, it says so of the field, too."""
    ours = [
        tags["h"].lower().split(":")
        for value in header.raw_values(message, FIELD)
        if "h" in (tags := _tags(value)) and vouches(ascii_domain(tags.get("d", "")), domain)
    ]
    return bool(ours) and all(field in names for names in ours)


def signed_by(raw: bytes, keys: Mapping[str, str]) -> list[str]:
    """The domains that have signed the whole of a mail; `keys` are the records by name. A signature
    over a part of the body (`l=`), without the sender, or over less than what is shown counts for
    nothing: anybody may have written the rest."""
    import dkim  # here: it takes a tenth of a second, and most mail needs none

    if NO_LINE_END.search(_head(raw)):  # a line end for the email package, and none for dkimpy
        return []
    found = []
    signed = dkim.DKIM(raw, minkey=1024)
    if not _is_unequivocal(raw, signed.headers):
        return []
    present = {name.decode().lower() for name, _ in signed.headers}
    values = [value for name, value in signed.headers if name.lower() == FIELD.encode()]
    for number, value in enumerate(values[:MOST]):
        tags = _tags(value.decode("ascii", "replace"))
        with contextlib.suppress(Exception):  # whatever is odd about it, it proves nothing
            covered = tags["h"].lower().split(":")
            is_whole = "l" not in tags and tags["a"].lower() in ALGORITHMS
            if not is_whole or not present.intersection(COVERED) <= set(covered):
                continue
            if signed.verify(number, lambda name, timeout=5: _key(keys, name)):
                found.append(ascii_domain(tags["d"]))
    return list(dict.fromkeys(found))


def _is_unequivocal(raw: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether what is shown of a mail is what was signed: one sender, one subject, and both parsers
    find the same."""
    parsed = (
        (name, str(value).encode("ascii", "surrogateescape"))
        for name, value in _parsed(raw).raw_items()
    )
    shown = _single(parsed)
    names = [name for name, _ in shown]
    signed = _single((name.decode(), value) for name, value in headers)
    return shown == signed and "from" in names and len(set(names)) == len(names)


def _single(fields: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The fields that should stand once, in lower case and without blanks."""
    return [
        (name.lower(), b"".join(value.split())) for name, value in fields if name.lower() in SINGLE
    ]


def _key(keys: Mapping[str, str], name: bytes) -> bytes | None:
    record = keys.get(name.decode("ascii", "replace").rstrip(".").lower())
    return record.encode("ascii", "replace") if record is not None else None


def vouches(domain: str, sender: str) -> bool:
    """Whether the signature of a domain vouches for a sender at another one: it is the same, or
    one lies within the other and both belong to one organization (RFC 7489 §3.1.1, relaxed)."""
    if domain == sender:
        return True
    is_within = domain.endswith(f".{sender}") or sender.endswith(f".{domain}")
    return is_within and _public().privatesuffix(min(domain, sender, key=len)) is not None


def same_organization(one: str, other: str) -> bool:
    """Whether two hosts belong to one organization: they are the same, or lie below one domain that
    somebody can have, as imap.gmail.com and smtp.gmail.com do."""
    one, other = ascii_domain(one), ascii_domain(other)
    if one == other or re.fullmatch(r"[0-9.]+|.*:.*", one):
        return one == other
    whose = _public().privatesuffix(one)
    return whose is not None and whose == _public().privatesuffix(other)


@cache
def _public() -> PublicSuffixList:
    """The domains below which anybody may have a domain (publicsuffix.org), private ones as
    github.io among them."""
    return PublicSuffixList()
