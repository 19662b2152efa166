"""Decide which conversation a mail belongs to, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.mail.address import same_domain
from bridge.model import Address, Mail, MessageId, Number

# Re:, Fwd: and similar prefixes in the languages of mail programs.
PREFIX = re.compile(
    r"^\s*(?:(?:re|aw|sv|vs|antw|odp|ynt|r|res|rif|ref|fwd?|wg|tr|vb|i|enc|doorst|vl|回复|答复|转发)"
    r"(?:\[\d+\]|\(\d+\))?\s*[:：]\s*)+",
    re.IGNORECASE,
)


class Reason(StrEnum):
    """The reason for the choice of a mail's conversation."""

    TOKEN = "our signed Message-ID or reply address"  # noqa: S105 - a reason, not a secret
    REPORT = "it reports on a mail that was sent here"
    REFERENCE = "it answers a mail of this conversation"
    AWAITED = "a mail here answers it"
    FRESH = "nothing here is answered by it"
    STRANGER = "it answers a mail here, but its sender took no part"


@dataclass(frozen=True, slots=True)
class Joined:
    """The mail belongs to an existing conversation."""

    number: Number
    reason: Reason


@dataclass(frozen=True, slots=True)
class Unmatched:
    """The mail begins a conversation; `claim` is one it may belong to, for an agent to judge."""

    reason: Reason
    claim: Number | None = None


@dataclass(frozen=True, slots=True)
class ThreadEvidence:
    """The facts that one inbox has about the ids and people of a mail."""

    signed: Sequence[Number]
    """Conversations of this inbox that our signed reply addresses among the recipients name, then
    those that our signed Message-IDs among the ancestors name, nearest first."""
    ids: Sequence[tuple[MessageId, Number]]
    """Known ancestors and their conversations, nearest ancestor first."""
    participants: Mapping[Number, frozenset[str]]
    """Case-folded addresses of each conversation named in `ids` and `awaited`."""
    awaited: Sequence[Number] = ()
    """Conversations that contain an answer to this mail, which arrived earlier."""
    same_subject: Number | None = None
    reported_on: Number | None = None
    """The conversation of the sent mail that this bounce or receipt reports on."""
    our_domains: frozenset[str] = frozenset()
    """Our own domains. Sharing one of them proves nothing: our machines send from there, too."""
    is_ours: bool = False
    """Whether we sent the mail."""


def place(mail: Mail, known: ThreadEvidence) -> Joined | Unmatched:
    """Choose the conversation of `mail`. Pure: `known` is about one inbox only.

    A known id alone is not enough to join: the sender must have taken part in the conversation, or
    the mail must carry our signature.
    """
    for number in known.signed:
        return Joined(number, Reason.TOKEN)
    if known.reported_on is not None:
        return Joined(known.reported_on, Reason.REPORT)
    claim = None
    for _, number in known.ids:
        if known.is_ours or took_part(mail.sender, known, number):
            return Joined(number, Reason.REFERENCE)
        claim = claim or number
    for number in known.awaited:
        if known.is_ours or took_part(mail.sender, known, number):
            return Joined(number, Reason.AWAITED)
        claim = claim or number
    if claim is not None:
        return Unmatched(Reason.STRANGER, claim)
    return Unmatched(Reason.FRESH, known.same_subject)


def took_part(sender: Address, known: ThreadEvidence, number: Number) -> bool:
    """Whether `sender` is a participant of a conversation, or shares the domain of a participant;
    free-mail domains and our own domains do not count."""
    participants = known.participants.get(number, frozenset())
    if sender.key in participants:
        return True
    return sender.domain not in known.our_domains and any(
        same_domain(sender.key, other) for other in participants
    )


def base_subject(subject: str) -> str:
    """A subject without Re:, Fwd: and similar prefixes."""
    return PREFIX.sub("", subject).strip()
