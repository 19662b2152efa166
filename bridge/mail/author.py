"""Who wrote a mail: its sender, or whom it names where it came through an address of ours."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.mail.address import is_free_mail
from bridge.model import Address, Forwarded, Letter, Mail, SenderKind, Verdict

NOBODY = "nobody@invalid"
"""Whom a mail is of that came from ourselves and names nobody else: none that can be answered."""


def domains(own: frozenset[str]) -> frozenset[str]:
    """The domains that are ours alone, of our addresses `own`, case-folded."""
    found = (spec.rpartition("@")[2] for spec in own)
    return frozenset(domain for domain in found if not is_free_mail(domain))


def came_through(sender: Address, own: frozenset[str]) -> bool:
    """Whether a mail's From is an address of ours, or one on a domain of ours: a contact form, a
    shop, a telephone system."""
    return sender.is_of(own) or sender.domain in domains(own)


def elsewhere(sender: Address, reply_to: Sequence[Address], own: frozenset[str]) -> Address | None:
    """Whom a mail wants answered instead of its sender; None where it names nobody else."""
    if any(each.key == sender.key for each in reply_to):
        return None
    if came_through(sender, own):  # another address of a colleague is nobody else
        return next((each for each in reply_to if not came_through(each, own)), None)
    return next((each for each in reply_to if not each.is_of(own)), None)


def author(sender: Address, reply_to: Sequence[Address], own: frozenset[str]) -> Address:
    """Whose mail it is: our addresses are nobody's customer."""
    if not came_through(sender, own):
        return sender
    named = elsewhere(sender, reply_to, own)
    if named is not None:
        return named
    return Address(NOBODY, sender.name or sender.spec) if sender.is_of(own) else sender


def is_internal(letter: Letter, own: frozenset[str]) -> bool:
    """Whether a colleague wrote it, for the team: nobody else reads it but those it was sent to."""
    if letter.forwarded is not None:
        return True
    is_ours = came_through(letter.sender, own)
    return is_ours and elsewhere(letter.sender, letter.reply_to, own) is None


def forwarded(mail: Mail, own: frozenset[str]) -> Forwarded | None:
    """The mail of somebody else that a colleague forwards: perhaps the customer's. None where
    nobody of ours forwards, or nothing of anybody else."""
    if mail.nature is not SenderKind.PERSON or mail.verdict is Verdict.FAIL:
        return None
    if not came_through(mail.sender, own):
        return None
    if elsewhere(mail.sender, mail.reply_to, own) is not None:
        return None
    others = (each for each in mail.forwarded if not came_through(each.sender, own))
    return next(others, None)
