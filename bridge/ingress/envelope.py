"""What is said before a mail in SMTP and LMTP: who it is from and for, and the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.model import BridgeError

RECIPIENTS = 100
LATER = "451 4.3.0 Something is wrong here; send it again later"
NO_ADDRESS = "553 5.1.3 That is no address"


@dataclass(frozen=True, slots=True)
class Brought:
    """A mail, its envelope, and for each recipient what `find` returned."""

    raw: bytes = field(repr=False)
    sender: str
    recipients: Sequence[tuple[str, str]]
    protocol: str


@dataclass(frozen=True, slots=True)
class Post:
    """What a listener does with what it is told."""

    name: str
    """The host name it greets with."""
    limit: int
    """Maximum bytes of a mail."""
    find: Callable[[str], Awaitable[str | None]]
    """Whose a recipient is; None: nobody's. Raises BridgeError."""
    room: Callable[[], str]
    """Why no mail can be taken now; empty for no reason."""
    take: Callable[[Brought], Awaitable[None]]
    """Stores a mail. Raises BridgeError or OSError where it is not stored."""


class Handler:
    """aiosmtpd's hooks for what is said before a mail."""

    def __init__(self, post: Post) -> None:
        self._post = post

    async def handle_PROXY(self, server: Any, session: Any, envelope: Any, proxy: Any) -> bool:
        """The client's own address, as a proxy that the configuration names tells it; a check of
        the proxy itself (UNKNOWN, LOCAL) has none. Returns whether it may go on."""
        if proxy.src_addr is None:
            return True
        return bool(server.is_from(str(proxy.src_addr)))

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [each for each in responses if not each.startswith("250-AUTH")]

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if why := self._post.room():
            return f"452 4.3.1 {why}"
        if not address.isprintable():
            return NO_ADDRESS
        if not server.guard.takes_mail(server._address):
            return "451 4.7.0 Too many mails in a minute; send it again later"
        envelope.mail_from = address  # `<>` as it came: an empty one would make RCPT fail
        envelope.mail_options.extend(options)
        return "250 2.1.0 Go on"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 That is enough for one mail; send it again for the others"
        if not address.isprintable():  # bytes that are no text, NUL
            return NO_ADDRESS
        try:
            owner = await self._post.find(address)
        except (BridgeError, OSError):
            return LATER
        if owner is None:
            await asyncio.sleep(server.patience)
            return "550 5.1.1 There is no such address here"
        envelope.rcpt_tos.append(address)
        server.owners.append((address, owner))
        return "250 2.1.5 Go on"
