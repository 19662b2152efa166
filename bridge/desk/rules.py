"""Reads the rules of an inbox and selects those that apply to a mail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.config import matching
from bridge.config.inbox import Inbox
from bridge.config.rule import Rule, read
from bridge.mail.header import values_of
from bridge.mail.quote import Body
from bridge.model import Letter, Mail, Refused
from bridge.ports import Tx

Placed = tuple[str, Rule]
"""Where a rule is written (`config.yaml` or `rule NUMBER`), and the rule."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An incoming mail as it was stored."""

    mail: Mail
    body: Body
    raw: bytes
    letter: Letter
    is_new: bool
    size: int
    """Bytes of the whole mail, even where only its head was stored and the rest stayed in the
    mailbox."""
    files: tuple[str, ...]
    """Names of all its attachments, including those that stayed in the mailbox."""
    spam: Callable[[], str] = str
    """Returns by what our own mail server calls it spam."""

    @classmethod
    def whole(cls, mail: Mail, body: Body, raw: bytes, letter: Letter, is_new: bool) -> Incoming:
        """Build it for a mail that was stored completely."""
        names = tuple(each.name for each in mail.attachments)
        return cls(mail, body, raw, letter, is_new, len(raw), names)

    @property
    def facts(self) -> matching.Facts:
        return matching.Facts(
            self.mail, self.body.text, self.size, self.files,
            lambda name: values_of(self.raw, name), self.spam,
        )  # fmt: skip


async def of_inbox(tx: Tx, inbox: Inbox) -> list[Placed]:
    """The rules of an inbox: those from config.yaml, then those written in chat. A rule from the
    chat that cannot be parsed any more is left out; `!rule list` shows it."""
    found: list[Placed] = [("config.yaml", rule) for rule in inbox.rules]
    for number, text in await tx.rules.all(inbox.id):
        try:
            found += [(f"rule {number}", rule) for rule in read(text)]
        except Refused:
            continue
    return found


def matching_rules(rules: Sequence[Placed], facts: matching.Facts) -> tuple[Placed, ...]:
    """The rules whose conditions match a mail, for new and for later mails of a conversation."""
    return tuple(each for each in rules if matching.fits(each[1], facts))


def applicable(fits: Sequence[Placed], *, is_new: bool) -> list[Placed]:
    """Of the matching rules, those for new or for later mails (`is_new`), up to a `stop` rule."""
    found: list[Placed] = []
    for where, rule in fits:
        if matching.applies_to(rule, is_new=is_new):
            found.append((where, rule))
            if rule.stop:
                break
    return found
