"""Identifier types."""

from __future__ import annotations

from typing import Any, NewType

InboxId = NewType("InboxId", str)
Number = NewType("Number", int)
"""A conversation's number, one series per installation."""
MailId = NewType("MailId", int)
RoomId = NewType("RoomId", str)
EventId = NewType("EventId", str)
Mxid = NewType("Mxid", str)
MessageId = NewType("MessageId", str)
"""An RFC 5322 msg-id with its angle brackets."""
Content = dict[str, Any]
"""The content of a Matrix event: JSON without floats."""
