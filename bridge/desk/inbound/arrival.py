"""A mail that was read, on its way to its conversation."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config.inbox import Inbox
from bridge.mail.quote import Body
from bridge.model import Mail


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as it was read, to which inbox, and when."""

    inbox: Inbox
    mail: Mail
    body: Body
    raw: bytes
    raw_id: int
    at: float
    """When it was accepted, epoch seconds."""
    counts: bool
    """A conversation that it begins counts for the limits of the hour."""
    too_large: int | None = None
    """Bytes of a mail that stayed in the mailbox: this is its head."""
    left: tuple[str, ...] = ()
    """Names of the files that stayed there with it."""
