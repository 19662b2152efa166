"""Connects to a mail server step by step (DNS, TCP, TLS) to find out which step fails."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

from bridge.chat.diagnosis import SILENCE, ProblemKind, Trouble, of_certificate
from bridge.config.server import Imap, Server

PATIENCE = 10.0
"""Seconds for each step: connecting, the greeting, the TLS handshake."""


async def reach(server: Server) -> dict[str, Any]:
    """Connect up to TLS and hang up. Returns the certificate, empty without TLS.

    Raises Trouble with the step that failed.
    """
    await _resolve(server)
    context = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
    if server.tls == "implicit":
        async with _connected(server, context) as (_, writer):
            return dict(writer.get_extra_info("peercert") or {})
    async with _connected(server, None) as (reader, writer):
        await _greeting(server, reader)
        if server.tls == "none":
            return {}
        await _starttls(server, reader, writer)
        with _tls_troubles():
            async with asyncio.timeout(PATIENCE):
                await writer.start_tls(context, server_hostname=server.host)
        return dict(writer.get_extra_info("peercert") or {})


async def _resolve(server: Server) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().getaddrinfo(
                server.host, server.at_port, type=socket.SOCK_STREAM
            )
    except (socket.gaierror, UnicodeError) as error:
        raise Trouble(ProblemKind.NO_HOST, str(error)) from error
    except TimeoutError as error:
        raise Trouble(ProblemKind.NO_HOST, "the name servers do not answer") from error


@contextlib.asynccontextmanager
async def _connected(
    server: Server, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        with _tls_troubles():
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(
                    server.host, server.at_port, ssl=context
                )
    except ConnectionRefusedError as error:
        raise Trouble(ProblemKind.REFUSED, str(error)) from error
    except TimeoutError as error:
        # the TLS handshake got no answer: the server may be waiting for us after its plain greeting
        problem = ProblemKind.SILENT
        if context is not None and await _greets(server):
            problem = ProblemKind.NOT_TLS
        raise Trouble(problem, f"no answer in {PATIENCE:.0f} s") from error
    except ConnectionError as error:  # the server closed the connection during the handshake
        problem = ProblemKind.SILENT if context is None else ProblemKind.NO_TLS_AGREED
        raise Trouble(problem, "the server hung up") from error
    except OSError as error:
        raise Trouble(ProblemKind.SILENT, str(error)) from error
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@contextlib.contextmanager
def _tls_troubles() -> Any:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise of_certificate(error.verify_code, error.verify_message) from error
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"):
            raise Trouble(ProblemKind.NOT_TLS, str(error.reason)) from error
        raise Trouble(ProblemKind.NO_TLS_AGREED, str(error.reason or error)) from error


async def _greets(server: Server) -> bool:
    """Whether the server sends a greeting without TLS."""
    with contextlib.suppress(Trouble, OSError, TimeoutError):
        async with _connected(server, None) as (reader, _), asyncio.timeout(PATIENCE):
            return bool(await reader.read(1))
    return False


async def _greeting(server: Server, reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            line = await reader.readline()
    except (TimeoutError, OSError, ValueError):
        line = b""
    is_imap = isinstance(server, Imap)
    if line.upper().startswith(b"* BYE" if is_imap else (b"4", b"5")):
        raise Trouble(ProblemKind.TURNED_AWAY, line.decode("ascii", "replace").strip())
    if line.startswith(b"* " if is_imap else b"220"):
        return line
    if not line and await _shakes_hands(server):
        raise Trouble(ProblemKind.TLS_AT_ONCE, "it waits for TLS")
    raise Trouble(ProblemKind.NO_GREETING, line.decode("ascii", "replace").strip() or SILENCE)


async def _shakes_hands(server: Server) -> bool:
    """Whether the server speaks TLS from the first byte, with any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(Trouble):
        async with _connected(server, context):
            return True
    return False


async def _starttls(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            if isinstance(server, Imap):
                writer.write(b"a STARTTLS\r\n")
                line = b"*"
                while line.startswith(b"*"):
                    line = await reader.readline()
                good = line.upper().startswith(b"A OK")
            else:
                writer.write(b"EHLO postroom.invalid\r\n")
                while (await reader.readline())[3:4] == b"-":
                    pass
                writer.write(b"STARTTLS\r\n")
                line = await reader.readline()
                good = line.startswith(b"220")
    except (TimeoutError, OSError, ValueError) as error:
        raise Trouble(ProblemKind.NO_STARTTLS, str(error)) from error
    if not good:
        raise Trouble(ProblemKind.NO_STARTTLS, line.decode("ascii", "replace").strip())
