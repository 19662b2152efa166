"""The sender of a mail before a group or a forwarder put its own address into From. Pure.

Anybody can write these fields, so that one counts only where the forwarder has signed it, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from email.message import Message

from bridge.mail import dkim, header
from bridge.model import Address, Mail, Verdict, key_of

FIELDS = ("x-original-from", "x-original-sender")


def original(message: Message, sender: Address) -> tuple[Address | None, bool]:
    """(the sender that a mail is said to have had, whether its forwarder has signed that); None
    where nothing is said, or nothing else than From."""
    said = [(name, found) for name in FIELDS for found in header.addresses(message, name)]
    others = [(name, found) for name, found in said if found.key != sender.key]
    if not others:
        return None, False
    name, found = next((each for each in others if dkim.covers(message, sender.domain, each[0])),
                       others[0])  # fmt: skip
    is_one = len({each.key for _, each in said}) == 1
    return found, is_one and dkim.covers(message, sender.domain, name)


def unwrapped(mail: Mail, forwarders: Iterable[str]) -> Mail:
    """The mail with its true sender, where one of `forwarders`, addresses that an admin named, put
    itself into From and is proven; that sender is not proven. Otherwise From stands, and the other
    is said to be a claim."""
    if mail.original is None:
        return mail
    is_named = mail.sender.key in {key_of(each) for each in forwarders}
    if is_named and mail.sender_verdict is Verdict.PASS and mail.is_original_signed:
        notes = (f"↪ forwarded by {mail.sender.spec}", *mail.notes)
        return replace(mail, sender=mail.original, sender_verdict=Verdict.NONE, notes=notes)
    if any(each.key == mail.original.key for each in mail.reply_to):
        return mail  # answers go there, and that is shown
    claim = f"⚠️ said to be from {mail.original}, which nothing proves"
    return replace(mail, notes=(*mail.notes, claim))
