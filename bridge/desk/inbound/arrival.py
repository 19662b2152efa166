"""A mail that was read, on its way to its conversation."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config import matching
from bridge.config.inbox import Inbox
from bridge.mail.header import values_of
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

    @property
    def facts(self) -> matching.Facts:
        """The mail as rules see it."""
        whole = self.too_large is None
        names = tuple(each.name for each in self.mail.attachments) if whole else self.left
        size = len(self.raw) if self.too_large is None else self.too_large
        return matching.Facts(
            self.mail, self.body.text, size, names, lambda name: values_of(self.raw, name)
        )
