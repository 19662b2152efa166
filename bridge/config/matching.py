"""Whether a rule holds for a mail. Pure, and linear in the mail: no patterns but `*`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from bridge.config.rule import Rule, When
from bridge.model import Address, Mail

LONGEST = 100_000
"""Characters of a body that are looked at."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A mail as rules see it. `header` gives every value of one of its headers."""

    mail: Mail
    text: str
    size: int
    """Bytes of the whole mail."""
    files: tuple[str, ...]
    """Names of its files."""
    header: Callable[[str], Sequence[str]]


def is_about(rule: Rule, *, is_new: bool) -> bool:
    """Whether a rule is about mails that begin a conversation, or join one."""
    return rule.on == "every" or (rule.on == "new") is is_new


def fits(rule: Rule, facts: Facts) -> bool:
    """Whether a rule's conditions hold, and its exceptions do not."""
    return _all(rule.when, facts) and not (
        rule.unless is not None and rule.unless.model_fields_set and _all(rule.unless, facts)
    )


def _all(when: When, facts: Facts) -> bool:
    return all(
        holds(value, facts)
        for key, holds in CONDITIONS.items()
        if (value := getattr(when, key)) not in NOT_SAID
    )


def _address(patterns: Sequence[str], addresses: Sequence[Address]) -> bool:
    """`alice@acme.com`, `*@acme.com`, `@acme.com` or `acme.com`, subdomains included."""
    for pattern in (each.casefold() for each in patterns):
        for address in addresses:
            if "@" in pattern.lstrip("@"):
                if fnmatchcase(address.key, pattern):
                    return True
            else:
                domain = pattern.lstrip("@")
                if fnmatchcase(address.domain, domain) or address.domain.endswith(f".{domain}"):
                    return True
    return False


def _words(patterns: Sequence[str], text: str) -> bool:
    """Whether the text holds one of them; with `*` in it, whether it is like it as a whole."""
    folded = " ".join(text.casefold().split())
    return any(
        _glob(each, folded) if "*" in each else " ".join(each.casefold().split()) in folded
        for each in patterns
    )


def _glob(pattern: str, text: str) -> bool:
    # `[` and `?` stand for themselves: who writes a subject thinks of no pattern
    plain = pattern.casefold().replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(text.casefold(), plain)


def _header(wanted: Mapping[str, Sequence[str]], facts: Facts) -> bool:
    return all(
        any(_words(patterns, value) for value in facts.header(name))
        for name, patterns in wanted.items()
    )


def _recipient(patterns: Sequence[str], facts: Facts) -> bool:
    mail = facts.mail
    return _address(patterns, [*mail.to, *mail.cc, *map(Address, mail.recipients)])


def _attachment(patterns: Sequence[str], facts: Facts) -> bool:
    return any(_glob(each, name) for each in patterns for name in facts.files)


NOT_SAID: tuple[object, ...] = (None, (), {})
CONDITIONS: Mapping[str, Callable[[Any, Facts], bool]] = {
    "from_": lambda patterns, facts: _address(patterns, [facts.mail.sender]),
    "to": _recipient,
    "subject": lambda patterns, facts: _words(patterns, facts.mail.subject),
    "body": lambda patterns, facts: _words(patterns, facts.text[:LONGEST]),
    "attachment": _attachment,
    "larger": lambda size, facts: facts.size > size,
    "verdict": lambda verdict, facts: facts.mail.verdict.value == verdict,
    "kind": lambda kind, facts: facts.mail.nature.value == kind,
    "header": _header,
}
"""By the keys of `when`: whether what it says holds for a mail. The costly ones stand last."""
