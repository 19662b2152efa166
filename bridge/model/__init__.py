"""The words of the house: mails, conversations, deliveries, posts, jobs, and the error tree."""

from bridge.model.conversation import (
    Contact,
    Conversation,
    Filter,
    Passage,
    Priority,
    State,
    Took,
)
from bridge.model.delivery import (
    LIVE,
    PREVIEWED,
    Delivery,
    DeliveryState,
    Form,
    Recipient,
)
from bridge.model.errors import (
    BridgeError,
    LostLease,
    Permanent,
    Refused,
    Transient,
)
from bridge.model.ids import (
    Content,
    EventId,
    InboxId,
    MailId,
    MessageId,
    Mxid,
    Number,
    RoomId,
)
from bridge.model.job import (
    Job,
)
from bridge.model.mail import (
    Address,
    Attachment,
    Fate,
    Letter,
    Mail,
    Nature,
    Report,
    Verdict,
)
from bridge.model.matrix import (
    Event,
    File,
    Kind,
    Place,
    Post,
)

__all__ = [
    "LIVE",
    "PREVIEWED",
    "Address",
    "Attachment",
    "BridgeError",
    "Contact",
    "Content",
    "Conversation",
    "Delivery",
    "DeliveryState",
    "Event",
    "EventId",
    "Fate",
    "File",
    "Filter",
    "Form",
    "InboxId",
    "Job",
    "Kind",
    "Letter",
    "LostLease",
    "Mail",
    "MailId",
    "MessageId",
    "Mxid",
    "Nature",
    "Number",
    "Passage",
    "Permanent",
    "Place",
    "Post",
    "Priority",
    "Recipient",
    "Refused",
    "Report",
    "RoomId",
    "State",
    "Took",
    "Transient",
    "Verdict",
]
