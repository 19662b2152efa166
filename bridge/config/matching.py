"""Match rules against mails. Pure, and linear in the size of the mail: `*` is the only pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from bridge.config.rule import Rule, When
from bridge.model import Address, Mail, ascii_domain

LONGEST = 100_000
"""Maximum characters of a body that are matched."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A mail as rules see it. `header(name)` returns all values of that header."""

    mail: Mail
    text: str
    size: int
    """Bytes of the whole mail."""
    files: tuple[str, ...]
    """Names of its files."""
    header: Callable[[str], Sequence[str]]
    spam: Callable[[], str]
    """Returns by what our own mail server calls it spam; empty if it does not."""


def spam_said(wanted: Sequence[str], header: Callable[[str], Sequence[str]], junk: str = "") -> str:
    """By what our mail server calls a mail spam: `junk`, the name of the folder that it put the
    mail into, or a header of those `wanted`, as `Name: value`; empty for nothing. Whoever writes
    such a header into a mail harms that mail alone."""
    if junk:
        return f"the folder {junk}"
    for name, _, pattern in (each.partition(":") for each in wanted):
        for value in header(name):
            if _glob(pattern.strip(), value.strip()):
                return f"{name}: {value.strip()[:80]}"
    return ""


def applies_to(rule: Rule, *, is_new: bool) -> bool:
    """Whether a rule applies to mails that begin a conversation (`is_new`) or to mails that join
    one."""
    return rule.on == "every" or (rule.on == "new") is is_new


def fits(rule: Rule, facts: Facts) -> bool:
    """Whether the conditions (`when`) of a rule hold and its exceptions (`unless`) do not."""
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
    """Whether an address fits a pattern: `alice@acme.com`, `*@acme.com`, or `@acme.com` and
    `acme.com`, which include subdomains."""
    for pattern in map(_in_one_form, patterns):
        for address in addresses:
            if "@" in pattern.lstrip("@"):
                if fnmatchcase(address.key, pattern):
                    return True
            else:
                domain = pattern.lstrip("@")
                if fnmatchcase(address.domain, domain) or address.domain.endswith(f".{domain}"):
                    return True
    return False


def _in_one_form(pattern: str) -> str:
    """A pattern in the form in which addresses are compared, its domain in ASCII."""
    local, at, domain = pattern.rpartition("@")
    return local.casefold() + at + ".".join(map(ascii_domain, domain.split(".")))


def _words(patterns: Sequence[str], text: str) -> bool:
    """Whether the text contains one of the patterns; a pattern with `*` has to match all of it."""
    folded = " ".join(text.casefold().split())
    return any(
        _glob(each, folded) if "*" in each else " ".join(each.casefold().split()) in folded
        for each in patterns
    )


def _glob(pattern: str, text: str) -> bool:
    # `[` and `?` are literal characters: people who type a subject do not mean a pattern
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
    "verdict": lambda verdict, facts: facts.mail.sender_verdict.value == verdict,
    "kind": lambda kind, facts: facts.mail.sender_kind.value == kind,
    "spam": lambda spam, facts: bool(facts.spam()) is spam,
    "header": _header,
}
"""Matching function of each key of `when`. The costly functions are last."""
