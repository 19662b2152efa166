"""Whether a machine wrote a mail (RFC 3834, and what real auto-responders send)."""

from __future__ import annotations

from email.message import Message

from bridge.mail import header
from bridge.model import Nature

MAX_RECEIVED = 50


def nature(message: Message) -> Nature:
    """What kind of sender a mail has; only a person's mail reopens a conversation."""
    if _is_bounce(message):
        return Nature.BOUNCE
    automatic = header.text(message, "auto-submitted").lower().partition(";")[0].strip()
    precedence = header.text(message, "precedence").lower()
    if header.text(message, "list-id") or precedence == "list":
        return Nature.LIST
    if (
        automatic not in ("", "no")
        or precedence in ("bulk", "junk", "auto_reply")
        or header.text(message, "x-autoreply").lower() not in ("", "no")
        or header.text(message, "x-autorespond")
        or header.text(message, "x-auto-response-suppress").lower() == "all"
        or header.text(message, "x-loop")
        or len(header.raw_values(message, "received")) > MAX_RECEIVED
    ):
        return Nature.AUTOMATIC
    return Nature.PERSON


def _is_bounce(message: Message) -> bool:
    if message.get_content_type() == "multipart/report":
        kind = str(message.get_param("report-type") or "").lower()
        return kind in ("delivery-status", "")
    return header.text(message, "return-path") == "<>"
