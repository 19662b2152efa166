"""Mail: addresses, parsed mails, stored mails, delivery reports, recipient status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bridge.model.address import Address
from bridge.model.ids import InboxId, MailId, MessageId, Number

WHOLE_MAIL, WHOLE_TEXT = -1, -2
"""Values of Attachment.part that are not a part: the raw mail, and its whole text as a file."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One leaf of a mail's MIME tree that is shown as a file."""

    part: int
    """Index of the leaf in a depth-first walk, or WHOLE_MAIL or WHOLE_TEXT."""
    name: str
    type: str
    size: int
    """Bytes after transfer decoding."""
    content_id: str = ""
    inline: bool = False


class SenderKind(StrEnum):
    """Kind of sender of a mail (RFC 3834)."""

    PERSON = "person"
    AUTOMATIC = "automatic"
    LIST = "list"
    BOUNCE = "bounce"
    """A report on the delivery of a mail: failed, delayed or delivered (RFC 3464)."""
    RECEIPT = "receipt"
    """A report that a mail was read (RFC 8098)."""


class Verdict(StrEnum):
    """Result of the sender check by the configured authserv-id (RFC 8601)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a DMARC result, not a password
    FAIL = "fail"


class RecipientStatus(StrEnum):
    """Delivery status of one recipient."""

    PENDING = "pending"
    SENT = "sent"
    """Our outgoing server accepted the mail."""
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DELAYED = "delayed"
    """Accepted by our server; a later server reports that it keeps trying."""
    READ = "read"
    BOUNCED = "bounced"
    """Accepted by our server; a later server returned it."""

    @property
    def arrived(self) -> bool:
        """Whether our outgoing server accepted the mail and no server returned it since."""
        return self in (RecipientStatus.SENT, RecipientStatus.DELAYED, RecipientStatus.READ)


@dataclass(frozen=True, slots=True)
class Report:
    """Content of a bounce, a delay notice or a read receipt for a mail that we sent."""

    originals: tuple[MessageId, ...]
    """Message-IDs the report may be about, most likely first."""
    statuses: Mapping[str, tuple[RecipientStatus, str]]
    """By case-folded address: (BOUNCED, DELAYED or READ, the reason given)."""
    senders: frozenset[str] = frozenset()
    """From addresses of the returned mail, case-folded; empty if it was not returned."""
    is_formal: bool = False
    """Whether it has the form of a report (multipart/report, RFC 6522)."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A forwarded mail as the forwarding mail shows it, in its text or as an attached file."""

    sender: Address
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One parsed mail. Texts are clean Unicode; `problem` says what could not be read."""

    message_id: MessageId
    body_hash: str
    sender: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    recipients: tuple[str, ...] = ()
    """Address-specs that the mail was sent to, from trace headers too, case-folded."""
    subject: str = ""
    date: float = 0.0
    in_reply_to: tuple[MessageId, ...] = ()
    references: tuple[MessageId, ...] = ()
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    sender_kind: SenderKind = SenderKind.PERSON
    wants_no_answer: bool = False
    """Whether it asks for no automatic answer."""
    sender_verdict: Verdict = Verdict.NONE
    notes: tuple[str, ...] = ()
    """Lines to show above the text, about invitations or encryption for example."""
    report: Report | None = None
    forwarded: tuple[Forwarded, ...] = ()
    """The mails it forwards, nearest first."""
    problem: str = ""
    own_id: MessageId | None = None
    """The Message-ID that we gave to it, where it says that it is a mail of ours."""
    original: Address | None = None
    """The sender that it is said to have had before a forwarder put itself into From."""
    is_original_signed: bool = False
    """Whether the signatures of its sender's domain, if they are good, cover that."""

    def ancestors(self) -> tuple[MessageId, ...]:
        """Message-IDs of the mails this one answers, nearest first (RFC 5322 §3.6.4)."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))


@dataclass(frozen=True, slots=True)
class HeldMail:
    """A mail in a mailbox that its server did not give when it was asked."""

    uid: int
    tried_at: float
    """When it was asked for last, epoch seconds."""
    is_reported: bool
    """Whether a mail that tells of it was accepted in its place."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A stored mail, incoming or outgoing: the database row without the raw bytes."""

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
    sender_kind: SenderKind
    sender_verdict: Verdict
    new_addresses: tuple[str, ...]
    at: float
    raw: int | None
    forwarded: Address | None = None
    """Sender of the mail that a colleague forwards here; perhaps the real customer."""
    forwarded_subject: str = ""
    author: Address | None = None
    """The author an agent named for it; answers go there instead of to `sender`."""
