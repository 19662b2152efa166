"""Standard responses: fill the variables of a text for one conversation. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.mail.charset import clean_line
from bridge.model import Address

VARIABLES = {
    "first_name": "the contact's first name",
    "name": "the contact's whole name",
    "address": "the contact's address",
    "number": "the conversation's number",
    "subject": "the conversation's subject",
    "agent": "the agent's name",
    "inbox": "the inbox's name",
}
FIELD = re.compile(r"( ?)\{([a-z_]{1,20})(?:\|([^{}|\n]{0,200}))?\}(?=([,.;:!?]?))")
TITLES = frozenset(
    "dr prof mr mrs ms miss mx sir herr frau mme mlle ing dipl-ing mag sra sr".split()  # noqa: SIM905 - names
)
MAX_LENGTH = 20_000
"""Maximum characters of a snippet."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled text, and the variables that had neither a value nor a fallback."""

    text: str
    missing: tuple[str, ...]


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """Replace `{name}` and `{name|fallback}` by the values, or by the fallback if a value is empty.
    Other text in braces stays as it is."""
    missing: list[str] = []

    def put(match: re.Match[str]) -> str:
        blank, name, fallback, mark = match.groups()
        if name not in VARIABLES:
            return match[0]
        value = clean_line(values.get(name, ""), 200)
        if not value and fallback is None and name not in missing:
            missing.append(name)
        found = value or fallback or ""
        # `Hello {first_name},` without a name is `Hello,`
        return f"{blank}{found}" if found or not mark else ""

    return Filled(FIELD.sub(put, text), tuple(missing))


def unknown(text: str) -> list[str]:
    """Names in braces that are not variables, most likely mistyped."""
    return [match[2] for match in FIELD.finditer(text) if match[2] not in VARIABLES]


def first_name(contact: Address) -> str:
    """`Alice` for “Alice Doe”, “Doe, Alice” and “Dr. Alice Doe”; empty if it names no person."""
    name = clean_line(contact.name, 100)
    if not name or "@" in name or name.isupper() or any(each.isdigit() for each in name):
        return ""
    last, comma, rest = name.partition(",")
    words = [
        word for word in (rest if comma and rest.strip() else last).split()
        if word.casefold().rstrip(".") not in TITLES and not word.endswith(".")
    ]  # fmt: skip
    return words[0] if words else ""
