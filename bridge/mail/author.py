"""The author of a mail: its sender, or the Reply-To of a mail sent through an address of ours."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.mail.address import is_free_mail
from bridge.model import Address, Forwarded, Letter, Mail, SenderKind, Verdict

NOBODY = "nobody@invalid"
"""Placeholder author of a mail from an address of ours without another Reply-To: not answerable."""


def domains(own: frozenset[str]) -> frozenset[str]:
    """The domains of our addresses `own` (case-folded), without free-mail domains."""
    found = (spec.rpartition("@")[2] for spec in own)
    return frozenset(domain for domain in found if not is_free_mail(domain))


def is_from_us(sender: Address, own: frozenset[str]) -> bool:
    """Whether a mail's From is an address of ours or is on a domain of ours, as with mails of a
    contact form, a shop or a telephone system."""
    return sender.is_of(own) or sender.domain in domains(own)


def other_reply_to(
    sender: Address, reply_to: Sequence[Address], own: frozenset[str]
) -> Address | None:
    """The Reply-To address that is another person than the sender; None if there is none."""
    if any(each.key == sender.key for each in reply_to):
        return None
    if is_from_us(sender, own):  # another address of ours is not another person
        return next((each for each in reply_to if not is_from_us(each, own)), None)
    return next((each for each in reply_to if not each.is_of(own)), None)


def author(sender: Address, reply_to: Sequence[Address], own: frozenset[str]) -> Address:
    """The author of a mail: its sender, or the Reply-To of a mail that came through us. An address
    of ours is never the customer: without a Reply-To, the author is NOBODY."""
    if not is_from_us(sender, own):
        return sender
    named = other_reply_to(sender, reply_to, own)
    if named is not None:
        return named
    return Address(NOBODY, sender.name or sender.spec) if sender.is_of(own) else sender


def by_hand(mail: Mail, own: frozenset[str]) -> Address | None:
    """The outsider to whom somebody wrote as one of our inboxes, in another mail program and with a
    copy to us. None for every other mail."""
    if mail.sender_kind is not SenderKind.PERSON or not mail.sender.is_of(own):
        return None
    if other_reply_to(mail.sender, mail.reply_to, own) is not None:
        return None
    if any(each.is_of(own) for each in mail.to):  # a form on a website, with a copy to its visitor
        return None
    return outsider(mail, own)


def outsider(mail: Mail, own: frozenset[str]) -> Address | None:
    """The first outsider to whom a mail of ours was sent; None for one within the team."""
    return next((each for each in (*mail.to, *mail.cc) if not is_from_us(each, own)), None)


def is_internal(letter: Letter, own: frozenset[str]) -> bool:
    """Whether a colleague wrote it for the team, so that only the people it was sent to may read
    it."""
    if letter.forwarded is not None:
        return True
    is_ours = is_from_us(letter.sender, own)
    return is_ours and other_reply_to(letter.sender, letter.reply_to, own) is None


def forwarded(mail: Mail, own: frozenset[str]) -> Forwarded | None:
    """The nearest mail by an outsider, perhaps the customer, that a colleague forwards in `mail`.
    None if the sender is not a colleague, or forwards no mail of an outsider."""
    if mail.sender_kind is not SenderKind.PERSON or mail.sender_verdict is Verdict.FAIL:
        return None
    if not is_from_us(mail.sender, own):
        return None
    if other_reply_to(mail.sender, mail.reply_to, own) is not None:
        return None
    others = (each for each in mail.forwarded if not is_from_us(each.sender, own))
    return next(others, None)
