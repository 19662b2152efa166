"""One IMAP connection: connect, STARTTLS, log in, run one command at a time, log out."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Literal, Self

from aioimaplib import aioimaplib as lib

from bridge.imap.protocol import Protocol
from bridge.imap.syntax import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    LoginRefused,
    clean,
    quote,
)

SLOWEST = 20_000
"""Minimum bytes per second of a transfer; slower transfers are aborted."""


class Session:
    """An IMAP connection. Every await has a timeout; a command that ends early, by timeout or
    cancellation, closes the connection. Raises only ImapError and its subclasses."""

    def __init__(self, protocol: Protocol, timeout: float) -> None:
        self._p, self.timeout = protocol, timeout
        self._lock = asyncio.Lock()
        self._woken = False

    @asynccontextmanager
    async def _exclusive_use(
        self, patience: float = 0.0, transfer: int = 0
    ) -> AsyncIterator[Protocol]:
        """Exclusive use of the connection. `patience`: maximum seconds without data; `transfer`:
        expected bytes, which extend the total time allowed."""
        p, loop, patience = self._p, asyncio.get_running_loop(), patience or self.timeout
        try:
            async with asyncio.timeout(self.timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise ImapError("the connection is busy") from None
        last = loop.time() + 10 * patience + transfer / SLOWEST
        try:
            async with asyncio.timeout(patience) as scope:

                def progress() -> None:
                    if not scope.expired():
                        scope.reschedule(min(loop.time() + patience, last))

                p.progress = progress
                try:
                    yield p
                finally:
                    p.progress = None
        except CommandRefused:
            raise
        except TimeoutError:
            p.fail(ConnectionLost("no answer in time"))
            raise p.error or ImapError() from None
        except (ImapError, OSError) as error:
            p.fail(
                error
                if isinstance(error, ImapError)
                else ConnectionLost(f"connection failed: {error}")
            )
            raise p.error or error from (None if error is p.error else error)
        except (lib.AioImapException, ValueError, IndexError, TypeError) as error:
            p.fail(ConnectionLost(f"broken IMAP from the server ({type(error).__name__})"))
            raise p.error or ImapError() from None
        except BaseException:
            p.fail(ConnectionLost("given up"))
            raise
        finally:
            self._lock.release()

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        tls: Literal["implicit", "starttls", "none"] = "implicit",
        ssl_context: ssl.SSLContext | None = None,
        timeout: float = 60.0,
    ) -> Self:
        loop = asyncio.get_running_loop()
        p = Protocol(loop)
        self = cls(p, timeout)
        context = None if tls == "none" else ssl_context or ssl.create_default_context()
        async with self._exclusive_use():
            await loop.create_connection(
                lambda: p, host, port, ssl=context if tls == "implicit" else None
            )
            await p.until(lambda: bool(p.greeting))
            if tls == "starttls":
                if p.state != lib.NONAUTH:
                    raise ConnectionLost("the server lets us in without TLS (PREAUTH)")
                try:
                    await p.starttls(context or ssl.create_default_context(), host)
                except CommandRefused as error:
                    raise ConnectionLost(f"the server refuses STARTTLS: {error}") from None
            if not p.capabilities:
                await p.command("CAPABILITY")
        return self

    @property
    def closed(self) -> bool:
        return self._p.error is not None

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset(self._p.capabilities)

    async def _authenticate(self, name: str, *args: str, answers: Iterable[bytes]) -> None:
        async with self._exclusive_use() as p:
            before, p.capabilities, p.challenge = p.capabilities, set(), b""
            try:
                await p.command(name, *args, answers=answers)
            except CommandRefused as error:
                p.capabilities, reason = before, p.challenge
                with suppress(ValueError):
                    reason = base64.b64decode(reason, validate=True)
                raise LoginRefused(f"{error} {clean(reason)}".strip()) from None
            p.state = lib.AUTH
            if not p.capabilities:
                await p.command("CAPABILITY")

    async def login(self, user: str, password: str) -> None:
        plain = "AUTH=PLAIN" in self.capabilities
        if plain and ("LOGINDISABLED" in self.capabilities or not (user + password).isascii()):
            quote(user + password)  # for its check
            return await self._sasl("PLAIN", f"\0{user}\0{password}")
        if "LOGINDISABLED" in self.capabilities:
            raise LoginRefused("NO [PRIVACYREQUIRED] the server allows no LOGIN here")
        if (user + password).isascii():
            return await self._authenticate("LOGIN", quote(user), quote(password), answers=())
        quote(user + password)  # for its check
        u, w = user.encode(), password.encode()
        await self._authenticate(
            "LOGIN", f"{{{len(u)}}}", answers=(u + b" {%d}\r\n" % len(w), w + b"\r\n")
        )

    async def xoauth2(self, user: str, token: str) -> None:
        quote(user + token)
        await self._sasl("XOAUTH2", f"user={user}\1auth=Bearer {token}\1\1")

    async def _sasl(self, mechanism: str, text: str) -> None:
        """Log in with the one message of a SASL mechanism (RFC 4422; RFC 4959 for one line)."""
        secret = base64.b64encode(text.encode()).decode()
        if "SASL-IR" in self.capabilities:
            await self._authenticate("AUTHENTICATE", mechanism, secret, answers=())
        else:
            answer = secret.encode() + b"\r\n"
            await self._authenticate("AUTHENTICATE", mechanism, answers=(answer,))

    async def identify(self, version: str) -> None:
        """Say who we are (RFC 2971), where that is offered: some servers give no folder before.
        A refusal does not matter."""
        if "ID" in self.capabilities:
            try:
                async with self._exclusive_use() as p:
                    await p.command("ID", f'("name" "Postroom" "version" {quote(version)})')
            except CommandRefused:
                pass

    async def noop(self) -> None:
        async with self._exclusive_use() as p:
            await p.command("NOOP")

    async def logout(self) -> None:
        try:
            async with self._exclusive_use() as p:
                await p.command("LOGOUT")
        except ImapError:
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        self._p.fail(ConnectionLost("closed"))
        if self._p.transport:
            try:
                async with asyncio.timeout(2):
                    await self._p.closed.wait()
            except TimeoutError:
                pass
