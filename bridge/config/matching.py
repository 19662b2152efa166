"""Whether a rule holds for a mail. Pure, and linear in the mail: no patterns but `*`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

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
    is_new: bool
    """Whether it began a conversation."""
    header: Callable[[str], Sequence[str]]


def holds(rule: Rule, facts: Facts) -> bool:
    """Whether a rule is about such mails, its conditions hold, and its exceptions do not."""
    return is_about(rule, is_new=facts.is_new) and fits(rule, facts)


def is_about(rule: Rule, *, is_new: bool) -> bool:
    """Whether a rule is about mails that begin a conversation, or join one."""
    return rule.on == "every" or (rule.on == "new") is is_new


def fits(rule: Rule, facts: Facts) -> bool:
    """Whether a rule's conditions hold, and its exceptions do not."""
    return _all(rule.when, facts) and not (
        rule.unless is not None and rule.unless.model_fields_set and _all(rule.unless, facts)
    )


def _all(when: When, facts: Facts) -> bool:
    mail = facts.mail
    people = (*mail.to, *mail.cc)
    tests = (
        not when.from_ or _address(when.from_, [mail.sender]),
        not when.to or _address(when.to, [*people, *map(Address, mail.recipients)]),
        not when.subject or _words(when.subject, mail.subject),
        not when.body or _words(when.body, facts.text[:LONGEST]),
        not when.attachment
        or any(_glob(each, name) for each in when.attachment for name in facts.files),
        when.larger is None or facts.size > when.larger,
        when.verdict is None or mail.verdict.value == when.verdict,
        when.kind is None or mail.nature.value == when.kind,
        all(
            any(_words(patterns, value) for value in facts.header(name))
            for name, patterns in when.header.items()
        ),
    )
    return all(tests)


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
