"""Which rules an inbox has, and which of them hold for a mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.config import matching
from bridge.config.inbox import Inbox
from bridge.config.rule import Rule, read
from bridge.mail.header import values_of
from bridge.mail.quote import Body
from bridge.model import Letter, Mail, Refused
from bridge.ports import Tx

Placed = tuple[str, Rule]
"""Where a rule is written, and the rule."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail that came in, as it was kept."""

    mail: Mail
    body: Body
    raw: bytes
    letter: Letter
    is_new: bool
    size: int
    """Bytes of the whole mail, which may have stayed in the mailbox."""
    files: tuple[str, ...]
    """Names of its files, wherever they are."""

    @classmethod
    def whole(cls, mail: Mail, body: Body, raw: bytes, letter: Letter, is_new: bool) -> Incoming:
        """One of which nothing stayed in the mailbox."""
        names = tuple(each.name for each in mail.attachments)
        return cls(mail, body, raw, letter, is_new, len(raw), names)

    @property
    def facts(self) -> matching.Facts:
        return matching.Facts(
            self.mail, self.body.text, self.size, self.files,
            lambda name: values_of(self.raw, name),
        )  # fmt: skip


async def of_inbox(tx: Tx, inbox: Inbox) -> list[Placed]:
    """The rules of an inbox: those of config.yaml, then those of the chat. One of the chat
    that cannot be read any more is left out; `!rule list` shows it."""
    found: list[Placed] = [("config.yaml", rule) for rule in inbox.rules]
    for number, text in await tx.rules.all(inbox.id):
        try:
            found += [(f"rule {number}", rule) for rule in read(text)]
        except Refused:
            continue
    return found


def fitting(rules: Sequence[Placed], facts: matching.Facts) -> tuple[Placed, ...]:
    """The rules whose conditions hold for a mail, whether it begins a conversation or joins one."""
    return tuple(each for each in rules if matching.fits(each[1], facts))


def holding(fits: Sequence[Placed], *, is_new: bool) -> list[Placed]:
    """Of the rules that fit, those that are about such a mail, up to one that stops."""
    found: list[Placed] = []
    for where, rule in fits:
        if matching.is_about(rule, is_new=is_new):
            found.append((where, rule))
            if rule.stop:
                break
    return found
