"""Parse addresses and address lists as real headers have them (RFC 5322 §3.4)."""

from __future__ import annotations

import re

from bridge.mail.charset import clean_line
from bridge.mail.free_mail import BRANDS, DOMAINS, SUFFIX
from bridge.model import Address, ascii_domain

MAX_ADDRESSES = 1000
SPEC = re.compile(r"[^\s<>()@,;:\"\[\]]+@[^\s<>()@,;:\"]+")
QUOTED_SPEC = re.compile(r"\"(?:[^\"\\]|\\.)*\"@[^\s<>()@,;:\"]+")

DOMAIN = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
"""The name of a domain in ASCII and lower case; some have an underscore against RFC 1123."""
MAILTO = re.compile(r"^\[?mailto:|\]$", re.IGNORECASE)


def is_free_mail(domain: str) -> bool:
    """Whether anybody can get an address on a domain, so that two of its senders need not know
    each other. `domain` is case-folded."""
    name, _, suffix = domain.partition(".")
    return domain in DOMAINS or (name in BRANDS and SUFFIX.fullmatch(suffix) is not None)


def same_domain(one: str, other: str) -> bool:
    """Whether two case-folded specs share a domain that belongs to one organisation."""
    domain = one.rpartition("@")[2]
    return bool(domain) and domain == other.rpartition("@")[2] and not is_free_mail(domain)


def parse_list(header: str) -> tuple[Address, ...]:
    """The addresses of a header, in order, at most 1,000. Linear in its length.

    The address of an item is the text in its last angle brackets; quoted names and comments cannot
    smuggle in another address (CVE-2023-27043).
    """
    found: dict[str, Address] = {}
    for item in _items(header):
        address = _address(*item)
        if address is not None:
            found.setdefault(address.key, address)
        if len(found) >= MAX_ADDRESSES:
            break
    return tuple(found.values())


def _items(header: str) -> list[tuple[str, str, str, bool]]:
    """(plain text, quoted text, text in angle brackets, whether it had any) of each list item."""
    items: list[tuple[str, str, str, bool]] = []
    plain: list[str] = []
    quoted: list[str] = []
    angle: list[str] = []
    has_angle = in_angle = in_quote = False
    comments = 0
    i = 0
    while i < len(header):
        char = header[i]
        if in_quote or comments:
            is_comment = comments > 0
            if char == "\\":
                i += 1
                char = header[i : i + 1]
            elif in_quote and char == '"':
                in_quote, char = False, ""
                if in_angle:
                    char = '"'
            elif comments and char in "()":
                comments += 1 if char == "(" else -1
            if not is_comment:
                (angle if in_angle else quoted).append(char)
        elif char == '"':
            in_quote = True
            if in_angle:
                angle.append(char)
        elif char == "(":
            comments += 1
        elif char == "<":
            # the last brackets of an item count
            in_angle, has_angle, angle = True, True, []
        elif char == ">":
            in_angle = False
        elif char in ",;" and not in_angle:
            items.append(("".join(plain), "".join(quoted), "".join(angle), has_angle))
            plain, quoted, angle, has_angle = [], [], [], False
        elif char == ":" and not in_angle and "@" not in "".join(plain[-80:]):
            plain, quoted = [], []  # a group's name
        else:
            (angle if in_angle else plain).append(char)
        i += 1
    items.append(("".join(plain), "".join(quoted), "".join(angle), has_angle))
    return items


def _address(plain: str, quoted: str, angle: str, has_angle: bool) -> Address | None:
    if has_angle:
        spec = angle.strip().rpartition(":")[2] if angle.strip().startswith("@") else angle.strip()
        name = " ".join(part for part in (quoted.strip(), plain.strip()) if part)
    else:
        spec, name = plain.strip(), quoted.strip()
        if not SPEC.fullmatch(spec):
            words = [word for word in spec.split() if SPEC.fullmatch(word)]
            if len(words) != 1:
                return None
            spec, name = words[0], spec.replace(words[0], "").strip()
    spec = MAILTO.sub("", spec.strip("'"))
    if not (SPEC.fullmatch(spec) or QUOTED_SPEC.fullmatch(spec)) or len(spec) > 320:
        return None
    return Address(clean_line(spec), clean_line(name, 1000))


def bare(text: str) -> Address | None:
    """The only address in `text`, as `a@b`, `<a@b>` or `Name <a@b>`; None unless it is one."""
    found = parse_list(text.removeprefix("mailto:"))
    return found[0] if len(found) == 1 else None


def fault(spec: str) -> str:
    """Why no mail can be sent from or to an address as it is written; empty where one can be."""
    local, _, domain = spec.rpartition("@")
    found = bare(spec)
    if found is None or found.spec != spec:
        return "write the address alone, like support@acme.example"
    if not local.startswith('"') and ".." in f".{local}.":
        return "the part before the @ has a dot at its start, its end or beside another"
    if len(local.encode()) > 64:
        return "the part before the @ has more than 64 bytes"
    if not is_domain(domain):
        return f"{domain} is not the name of a domain"
    return ""


def is_domain(text: str) -> bool:
    """Whether a text is the name of a domain, in ASCII or Unicode."""
    return DOMAIN.fullmatch(ascii_domain(text)) is not None


def idna(spec: str) -> str:
    """The address with its domain in ASCII (RFC 5890), if the domain has such a form. A local part
    that is not ASCII has none: the server has to support SMTPUTF8 (RFC 6531)."""
    local, at, domain = spec.rpartition("@")
    return f"{local}{at}{ascii_domain(domain) if not domain.isascii() else domain.rstrip('.')}"
