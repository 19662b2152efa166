"""The SMTP and LMTP listener: aiosmtpd's commands, and a DATA of our own.

aiosmtpd 1.4.6 bounces mail where our disk is full, cuts long lines, times out while data flows, and
answers LMTP once for several recipients; here 250 follows the commit, a fault of ours is 451, and
each recipient of LMTP has its answer (RFC 2033 §4.2).
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, syntax

from bridge.ingress.guard import Guard
from bridge.model import BridgeError

log = structlog.get_logger("ingress")
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # it prints addresses, and mail at DEBUG

PIECE = 64 * 1024
SMALL = 1 << 20
"""Bytes of a mail that is copied in the event loop's own thread."""
END = b"\r\n.\r\n"
READ = 30.0
"""Seconds without a byte after which a connection is closed."""
STRANGER = 5.0
"""Seconds that an unknown recipient is answered later: whoever tries addresses is slowed down."""
RECIPIENTS = 100
HOPS = 50
"""Received lines of a mail that goes round in circles."""
RECEIVED = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)
LATER = "451 4.3.0 Something is wrong here; send it again later"
AS_SMTP, AS_LMTP = "smtp", "lmtp"


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


class _Handler:
    """aiosmtpd's hooks."""

    def __init__(self, post: Post) -> None:
        self._post = post

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
        envelope.mail_from = address  # `<>` as it came: an empty one would make RCPT fail
        envelope.mail_options.extend(options)
        return "250 2.1.0 Go on"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 That is enough for one mail; send it again for the others"
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


class _Commands:
    """What SMTP and LMTP do alike in place of aiosmtpd."""

    post: Post
    guard: Guard
    answers_each = False
    patience = STRANGER
    owners: list[tuple[str, str]]
    _address: str | None = None

    def connection_made(self, transport: Any) -> None:
        self.owners = []
        if self._address is None:  # not after STARTTLS
            peer = transport.get_extra_info("peername")
            address = str(peer[0]) if isinstance(peer, tuple) else "local"
            if not self.guard.admits(address):
                transport.write(b"421 4.7.0 Too many connections; try again later\r\n")
                transport.close()
                return
            self._address = address
        parent: Any = super()
        parent.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._address is None:
            return
        address, self._address = self._address, None
        self.guard.leave(address)
        parent: Any = super()
        parent.connection_lost(error)

    def eof_received(self) -> bool | None:
        if getattr(self, "_handler_coroutine", None) is None:
            return None
        parent: Any = super()
        answer: bool | None = parent.eof_received()
        return answer

    def data_received(self, data: bytes) -> None:
        if self._address is not None:
            parent: Any = super()
            parent.data_received(data)

    def _set_rset_state(self) -> None:
        parent: Any = super()
        parent._set_rset_state()
        self.owners = []

    def _set_post_data_state(self) -> None:
        parent: Any = super()
        parent._set_post_data_state()
        self.owners = []

    async def handle_exception(self, error: Exception) -> str:
        log.exception("listener failed", exc_info=error)
        return LATER

    async def smtp_AUTH(self, arg: str) -> None:
        """Nobody logs in here: mail is taken for our own addresses and for no other."""
        server: Any = self
        await server.push("502 5.5.1 No log-in here")

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        """Read a mail to its end and store it."""
        server: Any = self
        if await server.check_helo_needed():
            return
        if not self.owners:
            await server.push("503 5.5.1 Say RCPT first")
            return
        if arg:
            await server.push("501 5.5.4 DATA stands alone")
            return
        owners, sender = list(self.owners), server.envelope.mail_from
        await server.push("354 Go on, and end with a dot")
        raw = await self._mail()
        answer = await self._answer(raw, sender, owners)
        server._set_post_data_state()
        for _ in owners if self.answers_each else (1,):
            await server.push(answer)

    async def _answer(
        self, raw: bytes | None, sender: str, owners: Sequence[tuple[str, str]]
    ) -> str:
        if raw is None:
            return f"552 5.3.4 That is over {self.post.limit} bytes"
        if len(RECEIVED.findall(raw[: raw.find(b"\r\n\r\n")])) > HOPS:
            return "554 5.4.6 That mail goes round in circles"
        plain = "" if sender == "<>" else sender
        try:
            await self.post.take(
                Brought(raw, plain, owners, AS_LMTP if self.answers_each else AS_SMTP)
            )
        except (BridgeError, OSError) as error:
            log.warning("mail not taken", error=str(error))
            return LATER
        return "250 2.0.0 Taken"

    async def _mail(self) -> bytes | None:
        """The mail up to the dot that stands alone; None for one over the limit."""
        server: Any = self
        reader = server._reader
        data, too_large = bytearray(b"\r\n"), False  # a dot may stand in the first line
        while True:
            piece = await reader.read(PIECE)
            if not piece:
                raise ConnectionResetError
            server._reset_timeout()
            begin = max(0, len(data) - len(END) + 1)
            data += piece
            end = data.find(END, begin)
            if end >= 0:
                reader._buffer[:0] = data[end + len(END) :]
                break
            if len(data) > self.post.limit + 2:
                too_large = True
                del data[: -len(END)]
        if too_large or end > self.post.limit + 2:
            return None
        if len(data) > SMALL:  # copying it takes some hundredths of a second
            return await asyncio.to_thread(_plain, data, end)
        return _plain(data, end)


def _plain(data: bytearray, end: int) -> bytes:
    """The mail in what was read, which begins with a line end of ours: without the dots that a
    client puts before those in the first column (RFC 5321 §4.5.2)."""
    del data[end + 2 :]
    plain = data.replace(b"\r\n..", b"\r\n.") if b"\r\n.." in data else data
    del plain[:2]
    return bytes(plain)


class _Smtp(_Commands, SMTP):
    pass


class _Lmtp(_Commands, LMTP):
    answers_each = True


def factory(
    post: Post, guard: Guard, protocol: str, tls: ssl.SSLContext | None = None,
    *, patience: float = STRANGER,
) -> Callable[[], asyncio.Protocol]:  # fmt: skip
    """Makes the protocol of each connection."""
    kind: Any = _Lmtp if protocol == AS_LMTP else _Smtp

    def made() -> asyncio.Protocol:
        server = kind(
            _Handler(post), hostname=post.name, ident="Postroom", data_size_limit=post.limit,
            enable_SMTPUTF8=True, tls_context=tls, timeout=READ,
            auth_exclude_mechanism=("LOGIN", "PLAIN"), loop=asyncio.get_running_loop(),
        )  # fmt: skip
        server.post, server.guard, server.patience = post, guard, patience
        server.owners = []
        made_: asyncio.Protocol = server
        return made_

    return made
