"""The SMTP and LMTP listener: aiosmtpd's commands, and a DATA of our own.

aiosmtpd 1.4.6 bounces mail where our disk is full, cuts long lines, times out while data flows, and
answers LMTP once for several recipients; here 250 follows the commit, a fault of ours is 451, and
each recipient of LMTP has its answer (RFC 2033 §4.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, TLSSetupException, syntax

from bridge.ingress import data
from bridge.ingress.envelope import LATER, Brought, Handler, Post
from bridge.ingress.guard import Buffer, Guard
from bridge.model import BridgeError

log = structlog.get_logger("ingress")
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # it prints addresses, and mail at DEBUG

READ, WHOLE = 30.0, 600.0
"""Seconds without a byte after which a connection is closed; seconds for a whole mail."""
PROXY = 10.0
"""Seconds in which a proxy tells whose connection it is."""
STRANGER = 5.0
"""Seconds that an unknown recipient is answered later: whoever tries addresses is slowed down."""
HOPS = 50
"""Received lines of a mail that goes round in circles."""
RECEIVED = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)
SLOW = "421 4.4.2 That takes too long; try again later"
STOPS = "421 4.3.2 This server stops; try again later"
TOO_MANY = b"421 4.7.0 Too many connections; try again later\r\n"
AS_SMTP, AS_LMTP = "smtp", "lmtp"


class Connection:
    """What SMTP and LMTP do alike in place of aiosmtpd."""

    post: Post
    guard: Guard
    connections: set[Connection]
    answers_each = False
    patience = STRANGER
    owners: list[tuple[str, str]]
    _address: str | None = None
    _is_storing = _stops = False

    @property
    def task(self) -> asyncio.Task[None]:
        """What listens to the client."""
        server: Any = self
        task: asyncio.Task[None] = server._handler_coroutine
        return task

    def stop(self) -> None:
        """End the connection, with a mail that is being stored once its sender is answered."""
        self._stops = True
        if not self._is_storing:
            self.leave(STOPS)

    def leave(self, why: str) -> None:
        """End the connection at once, whether the client reads or not."""
        server: Any = self
        if server.transport is None:
            return
        with contextlib.suppress(OSError, RuntimeError):
            server.transport.write(f"{why}\r\n".encode())
        (server._original_transport or server.transport).abort()
        self.connection_lost(None)  # where TLS was asked for and not begun, nobody else says so

    def _timeout_cb(self) -> None:
        self.leave(SLOW)

    def connection_made(self, transport: Any) -> None:
        self.owners = []
        if self._address is None:  # not after STARTTLS
            peer = transport.get_extra_info("peername")
            address = str(peer[0]) if isinstance(peer, tuple) else "local"
            if not self.guard.admits(address):
                transport.write(TOO_MANY)
                transport.close()
                return
            self._address = address
            self.connections.add(self)
            if address in self.guard.proxies:
                server: Any = self
                server._proxy_timeout = PROXY
        parent: Any = super()
        parent.connection_made(transport)

    def is_from(self, address: str) -> bool:
        """Count a connection for the client's address, which a proxy told; whether it may go on."""
        if not self.guard.admits(address):
            server: Any = self
            server.transport.write(TOO_MANY)
            return False
        self.guard.leave(self._address or "")
        self._address = address
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if self._address is None:
            return
        address, self._address = self._address, None
        self.guard.leave(address)
        self.connections.discard(self)
        parent: Any = super()
        parent.connection_lost(error)

    def eof_received(self) -> bool | None:
        if self._address is None:
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
        if isinstance(error, TLSSetupException):  # a client that speaks no TLS of ours
            log.info("no TLS", error=str(error.__cause__))
        else:
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
        await server.push("354 Go on, and end with a dot")
        try:
            with self.guard.buffer(self._address or "") as buffer:
                answer = await self._taken(buffer)
            for _ in self.owners if self.answers_each else (1,):
                await server.push(answer)
        finally:
            self._is_storing = False
            server._set_post_data_state()
        if self._stops:
            self.leave(STOPS)

    async def _taken(self, buffer: Buffer) -> str:
        """Read a mail and store it; the answer."""
        server: Any = self
        try:
            async with asyncio.timeout(WHOLE):
                raw = await data.read(
                    server._reader, self.post.limit, buffer.grow, server._reset_timeout
                )
        except data.Refused as refused:
            return str(refused)
        except TimeoutError:
            self.leave(SLOW)
            return LATER
        # the timer is for what the client does, and not for our disk
        server._timeout_handle.cancel()
        self._is_storing = True
        answer = await self._answer(raw, server.envelope.mail_from, self.owners)
        server._reset_timeout()
        return answer

    async def _answer(self, raw: bytes, sender: str, owners: Sequence[tuple[str, str]]) -> str:
        if len(RECEIVED.findall(raw[: raw.find(b"\r\n\r\n")])) > HOPS:
            return "554 5.4.6 That mail goes round in circles"
        plain = "" if sender == "<>" else sender
        try:
            await self.post.take(
                Brought(raw, plain, list(owners), AS_LMTP if self.answers_each else AS_SMTP)
            )
        except (BridgeError, OSError) as error:
            log.warning("mail not taken", error=str(error))
            return LATER
        except Exception:  # each recipient of LMTP has its answer, whatever happens
            log.exception("mail not taken")
            return LATER
        return "250 2.0.0 Taken"


class _Smtp(Connection, SMTP):
    pass


class _Lmtp(Connection, LMTP):
    answers_each = True


def factory(
    post: Post, guard: Guard, protocol: str, tls: ssl.SSLContext | None = None,
    *, patience: float = STRANGER, connections: set[Connection] | None = None,
) -> Callable[[], asyncio.Protocol]:  # fmt: skip
    """Makes the protocol of each connection; those that are open stand in `connections`."""
    kind: Any = _Lmtp if protocol == AS_LMTP else _Smtp

    opened = set() if connections is None else connections

    def made() -> asyncio.Protocol:
        server = kind(
            Handler(post), hostname=post.name, ident="Postroom", data_size_limit=post.limit,
            enable_SMTPUTF8=True, tls_context=tls, timeout=READ,
            auth_exclude_mechanism=("LOGIN", "PLAIN"), loop=asyncio.get_running_loop(),
        )  # fmt: skip
        server.post, server.guard, server.patience = post, guard, patience
        server.connections = opened
        made_: asyncio.Protocol = server
        return made_

    return made
