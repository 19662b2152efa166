"""Values that the folder readers of one mail account share, and what they fetch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.config.inbox import Inbox
from bridge.config.server import Imap
from bridge.ingress.source import SourceContext


@dataclass(frozen=True, slots=True)
class MailAccount:
    """A mail account and the inboxes that read it."""

    context: SourceContext
    inboxes: Sequence[Inbox]
    imap: Imap

    @property
    def name(self) -> str:
        return self.imap.account

    def key(self, folder: str, validity: int, uid: int) -> str:
        """The source key of a mail: a mail is stored once for each."""
        return f"imap:{self.name}:{folder}:{validity}:{uid}"


class DiskFull(Exception):
    """The disk is nearly full: mail stays in the mailbox."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched mail. `oversize` is JSON with size and limit if only the first HEAD bytes were
    fetched, otherwise empty."""

    uid: int
    raw: bytes
    oversize: str = ""
