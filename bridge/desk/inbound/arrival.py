"""An incoming mail that was read and is not yet filed into a conversation."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config import matching
from bridge.config.inbox import Inbox
from bridge.mail.header import values_of
from bridge.mail.quote import Body
from bridge.model import Address, Mail, MessageId


@dataclass(frozen=True, slots=True)
class Arrival:
    """A parsed incoming mail, with its inbox and the time it was accepted."""

    inbox: Inbox
    mail: Mail
    body: Body
    raw: bytes
    raw_id: int
    at: float
    """When it was accepted, epoch seconds."""
    counts: bool
    """Whether a conversation that this mail starts counts for the hourly limits."""
    too_large: int | None = None
    """Bytes of the whole mail where it stayed in the mailbox and `raw` is only its head."""
    left: tuple[str, ...] = ()
    """Names of the attachments that stayed in the mailbox with it."""
    junk: str = ""
    """The name of the junk folder that it was in."""
    spam: str = ""
    """By what our own mail server calls it spam, where the inbox does anything about that."""
    instead_of: MessageId | None = None
    """The mail that told of this one when it could not be fetched."""
    by_hand_to: Address | None = None
    """Whom it was sent to, where somebody wrote it as one of our inboxes elsewhere."""
    is_sent: bool = False
    """Whether it was in the Sent folder."""
    is_ours: bool = False
    """Whether that is proven, so that it is a mail that we sent."""

    @property
    def facts(self) -> matching.Facts:
        """The values of the mail that rule conditions are checked against."""
        whole = self.too_large is None
        names = tuple(each.name for each in self.mail.attachments) if whole else self.left
        size = len(self.raw) if self.too_large is None else self.too_large
        return matching.Facts(
            self.mail, self.body.text, size, names,
            lambda name: values_of(self.raw, name), self.spam_said,
        )  # fmt: skip

    def spam_said(self) -> str:
        """By what our own mail server calls it spam; parses the header, so ask only if needed."""
        return matching.spam_said(
            self.inbox.spam_headers, lambda name: values_of(self.raw, name), self.junk
        )
