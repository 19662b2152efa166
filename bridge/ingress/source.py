"""Interface of sources of mail. Each kind has a file here, and an entry in `KINDS` of kinds.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.config.inbox import Inbox
from bridge.config.server import Server
from bridge.config.settings import Limits
from bridge.model.oversight import Finding
from bridge.ports import Credentials, Store


@dataclass(frozen=True, slots=True)
class SourceContext:
    """Values that every source gets."""

    store: Store
    credentials: Credentials
    limits: Limits
    free: Callable[[], int | None]
    """Returns the free bytes on the disk of the database; None if unknown."""
    refused: Callable[[str, str], Awaitable[None]]
    """Tells the control room (source, what the server said) that a log-in was refused."""
    now: Callable[[], float] = time.time
    """Epoch seconds."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits so many seconds."""


class Source(Protocol):
    """A source of mail: accepts mail for its inboxes, and records the health of its account."""

    async def run(self) -> None:
        """Accept mail until cancelled. Retries and reports failures; raises no errors."""
        ...


Reached = Callable[[Server], Awaitable[Finding]]
"""Tests the connection to a server, up to TLS. Raises Trouble."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source, for one section of an inbox's settings."""

    begin: Callable[[SourceContext, Sequence[Inbox]], Source]
    """Creates the source that these inboxes share."""
    check: Callable[[Any, Credentials, Reached], AsyncIterator[Finding]]
    """Tests the section's server for `!inbox test`: one finding for each step. Raises Trouble."""
