"""Mail: addresses, what was parsed, what is kept of it, what became of who got it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bridge.model.ids import InboxId, MailId, MessageId, Number


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of RFC 5322 §3.4: written in its original form, compared by `key`."""

    spec: str
    name: str = ""

    @property
    def key(self) -> str:
        return self.spec.casefold()

    @property
    def untagged(self) -> str:
        """The key without a +tag: mail to support+x@ is mail to support@."""
        local, at, domain = self.key.rpartition("@")
        return local.partition("+")[0] + at + domain

    def is_of(self, own: frozenset[str]) -> bool:
        """Whether this is one of the addresses `own`, case-folded, or a +tag of one."""
        return self.key in own or self.untagged in own

    @property
    def domain(self) -> str:
        return self.key.rpartition("@")[2]

    def __str__(self) -> str:
        return f"{self.name} <{self.spec}>" if self.name else self.spec


WHOLE_MAIL, WHOLE_TEXT = -1, -2
"""Instead of a part's index: the mail as it came, and all its words as a text file."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One leaf of a mail that is a file."""

    part: int
    """Its index in the depth-first walk."""
    name: str
    type: str
    size: int
    """Bytes after transfer decoding."""
    content_id: str = ""
    inline: bool = False


class SenderKind(StrEnum):
    """What kind of sender a mail has (RFC 3834)."""

    PERSON = "person"
    AUTOMATIC = "automatic"
    LIST = "list"
    BOUNCE = "bounce"
    """A report on the delivery of a mail, whatever it says (RFC 3464)."""
    RECEIPT = "receipt"
    """A report that a mail was read (RFC 8098)."""


class Verdict(StrEnum):
    """What the configured authserv-id said of a mail's sender (RFC 8601)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a DMARC result, not a password
    FAIL = "fail"


class RecipientStatus(StrEnum):
    """What became of one recipient."""

    PENDING = "pending"
    SENT = "sent"
    """Our outgoing server took it."""
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DELAYED = "delayed"
    """Taken, and a later server says that it goes on trying."""
    READ = "read"
    BOUNCED = "bounced"
    """Taken, and a later server gave it back."""

    @property
    def arrived(self) -> bool:
        """Whether our outgoing server took it, and nobody gave it back since."""
        return self in (RecipientStatus.SENT, RecipientStatus.DELAYED, RecipientStatus.READ)


@dataclass(frozen=True, slots=True)
class Report:
    """What a bounce, a delay or a receipt says of a mail that was sent."""

    originals: tuple[MessageId, ...]
    """Message-IDs the report may be about, most likely first."""
    fates: Mapping[str, tuple[RecipientStatus, str]]
    """Of each address, case-folded: BOUNCED, DELAYED or READ, and why."""
    senders: frozenset[str] = frozenset()
    """Who had sent the mail that came back, as far as it did, case-folded."""
    is_formal: bool = False
    """Whether it has the form of a report (multipart/report, RFC 6522)."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A mail that another one repeats or has as a file, as that says: sender, subject, text."""

    sender: Address
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One parsed message. Texts are clean Unicode; `problem` says why it could not be read."""

    message_id: MessageId
    body_hash: str
    sender: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    recipients: tuple[str, ...] = ()
    """Every address-spec the mail was sent to, trace headers included, case-folded."""
    subject: str = ""
    date: float = 0.0
    in_reply_to: tuple[MessageId, ...] = ()
    references: tuple[MessageId, ...] = ()
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    nature: SenderKind = SenderKind.PERSON
    verdict: Verdict = Verdict.NONE
    notes: tuple[str, ...] = ()
    """What should stand above the text: invitations, encryption."""
    report: Report | None = None
    forwarded: tuple[Forwarded, ...] = ()
    """The mails it forwards, nearest first."""
    problem: str = ""

    def ancestors(self) -> tuple[MessageId, ...]:
        """Ids this mail answers, nearest first (RFC 5322 §3.6.4)."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail of the store, in or out, as later acts need it (a row, without its bytes)."""

    id: MailId
    inbox: InboxId
    conversation: Number
    outbound: bool
    message_id: MessageId
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    subject: str
    references: tuple[MessageId, ...]
    nature: SenderKind
    verdict: Verdict
    new_addresses: tuple[str, ...]
    at: float
    raw: int | None
    forwarded: Address | None = None
    """Whose mail it forwards, where a colleague does and that may be the customer's."""
    forwarded_subject: str = ""
    author: Address | None = None
    """Whose it is, where an agent said so: answers go there, and not to its sender."""
