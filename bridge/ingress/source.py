"""What a way in is. Each kind of them has a file here, and its row in `KINDS` of kinds.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.config.inbox import Inbox, Server
from bridge.config.settings import Limits
from bridge.model.oversight import Finding
from bridge.ports import Credentials, Store


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What every source is given."""

    store: Store
    credentials: Credentials
    limits: Limits
    free: Callable[[], int | None]
    """How many bytes the disk of the database has left, where that is known."""
    refused: Callable[[str, str], Awaitable[None]]
    """Tells the control room (source, what the server said) that a log-in was refused."""


class Source(Protocol):
    """A way in: it accepts mail for its inboxes, and notes by its name how that goes."""

    async def run(self) -> None:
        """Accept mail until cancelled. What fails is tried again and told; nothing is raised."""
        ...


Reached = Callable[[Server], Awaitable[Finding]]
"""Tries a server as far as TLS. Raises Trouble."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of way in, for one section of an inbox's settings."""

    begin: Callable[[SourceContext, Sequence[Inbox]], Source]
    """Makes the source that these inboxes share."""
    check: Callable[[Any, Credentials, Reached], AsyncIterator[Finding]]
    """Given the section: one finding a step, as `!inbox test` shows them. Raises Trouble."""
