"""Deliveries: mails on their way out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from bridge.model.ids import EventId, InboxId, MailId, MessageId, Mxid, Number
from bridge.model.mail import Address, RecipientStatus


class DeliveryState(StrEnum):
    """Where an outgoing mail stands; everything from SENT on is final."""

    DRAFT = "draft"
    """Shown as it would be sent; somebody says whether it is."""
    APPROVING = "approving"
    """Shown, too, and somebody else has to say yes."""
    ASKING = "asking"
    WAITING = "waiting"
    SENDING = "sending"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Form(StrEnum):
    """What an outgoing mail is."""

    REPLY = "reply"
    SNIPPET = "snippet"
    """An answer in the words of a standard response."""
    FORWARD = "forward"
    COMPOSE = "compose"
    """The first mail of a conversation that we begin."""
    AUTOMATIC = "automatic"
    """Ordered by a rule, written by no person."""


ANSWER_FORMS = (Form.REPLY, Form.SNIPPET)
"""Forms that answer a mail."""
PREVIEWED_DELIVERIES = (DeliveryState.DRAFT, DeliveryState.APPROVING)
"""States in which the whole mail is shown and somebody has to say yes."""
STOPPABLE_DELIVERIES = (*PREVIEWED_DELIVERIES, DeliveryState.ASKING, DeliveryState.WAITING)
"""States in which it was not attempted yet."""
UNFINISHED_DELIVERIES = (*STOPPABLE_DELIVERIES, DeliveryState.SENDING, DeliveryState.DEFERRED)
"""States in which it has not left, or not to everybody."""
DELIVERIES_UNDER_WAY = (*UNFINISHED_DELIVERIES, DeliveryState.UNKNOWN)
"""States in which something is still to come of it, or to be decided."""
LIVE_DELIVERIES = (*DELIVERIES_UNDER_WAY, DeliveryState.SENT)
"""States in which a source message may not be sent once more."""
DELIVERIES_THAT_LEFT = (DeliveryState.SENT, DeliveryState.BOUNCED)
"""States in which our outgoing server has taken it, whatever a later one did."""
RETRYABLE_DELIVERIES = (
    DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.DEFERRED, DeliveryState.BOUNCED,
)  # fmt: skip
"""States in which it can be tried again."""
AUTOMATIC_NEXT = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.DEFERRED)
"""States in which it leaves without anybody's doing."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One envelope recipient of a delivery. `field` is to, cc or bcc."""

    address: Address
    field: str
    fate: RecipientStatus = RecipientStatus.PENDING
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One mail on its way out, made by one explicit act of one agent."""

    inbox: InboxId
    conversation: Number
    source: EventId
    """The message that is sent."""
    order: EventId
    """The event that said so: the command, or the reaction."""
    agent: Mxid
    subject: str
    run_at: float
    created_at: float
    recipients: tuple[Recipient, ...]
    id: int = 0
    """0 until it is stored."""
    state: DeliveryState = DeliveryState.WAITING
    answers: MailId | None = None
    files: tuple[EventId, ...] = ()
    message_id: MessageId | None = None
    attempts: int = 0
    data_begun: bool = False
    detail: str = ""
    finished_at: float | None = None
    form: Form = Form.REPLY
    text: str = ""
    """What is sent, where that is not what the source says."""
    letters: tuple[MailId, ...] = ()
    """The mails that are forwarded."""
    shown: str = ""
    """A digest of what its preview showed; empty where it had none."""
    approved_by: Mxid | None = None
    author: Mxid | None = None
    """Who wrote the source, where that is somebody else than who ordered it."""
    wording: int = 0
    """Counts what was changed since it was ordered: bytes of another wording are none of it."""
    shown_at: float = 0.0
    """When the newest preview was brought into the room."""


class DeliveryChanges(TypedDict, total=False):
    """What of a delivery can change."""

    state: DeliveryState
    run_at: float
    created_at: float
    attempts: int
    data_begun: bool
    detail: str
    question: str
    finished_at: float | None
    subject: str
    letters: tuple[MailId, ...]
    shown: str
    shown_at: float
    approved_by: Mxid
