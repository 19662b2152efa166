"""Deliveries: outgoing mails and their states."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from bridge.model.address import Address
from bridge.model.ids import EventId, InboxId, MailId, MessageId, Mxid, Number
from bridge.model.mail import RecipientStatus


class DeliveryState(StrEnum):
    """State of an outgoing mail; SENT and the states below it are final."""

    DRAFT = "draft"
    """Its preview is shown; an agent confirms or discards it."""
    APPROVING = "approving"
    """Its preview is shown; somebody other than its author has to approve it."""
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
    """Kind of an outgoing mail."""

    REPLY = "reply"
    SNIPPET = "snippet"
    """A reply made from a standard response."""
    FORWARD = "forward"
    COMPOSE = "compose"
    """The first mail of a conversation that an agent begins."""
    AUTOMATIC = "automatic"
    """Sent by a rule, not written by a person."""


ANSWER_FORMS = (Form.REPLY, Form.SNIPPET)
"""Forms that answer a mail."""
PREVIEWED_DELIVERIES = (DeliveryState.DRAFT, DeliveryState.APPROVING)
"""States in which a preview of the whole mail is shown and somebody has to confirm it."""
STOPPABLE_DELIVERIES = (*PREVIEWED_DELIVERIES, DeliveryState.ASKING, DeliveryState.WAITING)
"""States before the first attempt to send; the delivery can still be stopped."""
DELIVERIES_IN_QUESTION = (*PREVIEWED_DELIVERIES, DeliveryState.ASKING, DeliveryState.UNKNOWN)
"""States in which a person has to say something, or nothing more happens."""
UNFINISHED_DELIVERIES = (*STOPPABLE_DELIVERIES, DeliveryState.SENDING, DeliveryState.DEFERRED)
"""States in which the mail was not sent yet, or not to all recipients."""
DELIVERIES_UNDER_WAY = (*UNFINISHED_DELIVERIES, DeliveryState.UNKNOWN)
"""States in which the delivery still has to be attempted, or somebody has to decide on it."""
LIVE_DELIVERIES = (*DELIVERIES_UNDER_WAY, DeliveryState.SENT)
"""States in which the source message must not be sent a second time."""
DELIVERIES_THAT_LEFT = (DeliveryState.SENT, DeliveryState.BOUNCED)
"""States in which our outgoing server accepted the mail, even if a later server bounced it."""
RETRYABLE_DELIVERIES = (
    DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.DEFERRED, DeliveryState.BOUNCED,
)  # fmt: skip
"""States from which an agent can retry the delivery."""
AUTOMATIC_NEXT = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.DEFERRED)
"""States in which the mail is sent without any further action of a person."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One envelope recipient of a delivery. `field` is to, cc or bcc."""

    address: Address
    field: str
    status: RecipientStatus = RecipientStatus.PENDING
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """When a mail shall leave."""

    at: float
    """Epoch seconds."""
    text: str
    """The time in words, in the zone of who planned it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One outgoing mail, caused by one explicit command or reaction of one agent, or by a rule."""

    inbox: InboxId
    conversation: Number
    source: EventId
    """The Matrix message whose text is sent."""
    requested_by: EventId
    """The event that requested the delivery: the command or the reaction."""
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
    """The text to send, where it differs from the text of `source`."""
    letters: tuple[MailId, ...] = ()
    """The mails that are forwarded."""
    shown: str = ""
    """Digest of the content that the preview showed; empty if there was no preview."""
    approved_by: Mxid | None = None
    author: Mxid | None = None
    """The writer of `source`, if that is not `agent`."""
    wording: int = 0
    """Counts the edits since the request: MIME bytes built from an older wording are stale."""
    shown_at: float = 0.0
    """When the newest preview was posted in the room, epoch seconds."""
    planned_for: float = 0.0
    """When it shall leave, where an agent named a time, epoch seconds; else 0."""

    @property
    def open_recipients(self) -> list[Recipient]:
        """Those that an attempt still has to reach."""
        statuses = (RecipientStatus.PENDING, RecipientStatus.DEFERRED)
        return [each for each in self.recipients if each.status in statuses]

    @property
    def waits_for_server(self) -> bool:
        """Whether it waits for an outgoing server that took no attempt of it yet, so that it can be
        stopped: an attempt may have arrived though the server did not confirm it."""
        return self.state is DeliveryState.DEFERRED and self.attempts == 0


@dataclass(frozen=True, slots=True)
class SendingProblem:
    """Why no mail can be sent through an account of an outgoing server."""

    account: str
    kind: str
    """A chat.diagnosis.ProblemKind."""
    said: str
    """What the server replied."""
    since: float
    tries: int
    """Failed tries so far."""
    next_at: float
    """When it is tried again, epoch seconds."""
    is_told: bool
    """Whether the admins were told of it."""


class DeliveryChanges(TypedDict, total=False):
    """The columns of a delivery that can be updated."""

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
    planned_for: float
    approved_by: Mxid
