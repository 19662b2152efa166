"""Mail servers that say what a table says: the greeting under an empty name, then one answer a
command, or to a command with its first word; None hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping

IMAP: dict[str, str | None] = {
    "": "* OK [CAPABILITY IMAP4rev1 IDLE] ready",
    "LOGIN": "OK [CAPABILITY IMAP4rev1 IDLE] welcome",
    "SELECT": "* 3 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\nOK selected",
    "LIST": '* LIST () "/" INBOX\r\n* LIST () "/" Archive\r\nOK listed',
    "LOGOUT": "* BYE\r\nOK bye",
    "CAPABILITY": "* CAPABILITY IMAP4rev1 IDLE\r\nOK done",
    "STARTTLS": "BAD unknown",
    "IDLE": "+ idling",
}
SMTP: dict[str, str | None] = {
    "": "220 ready",
    "EHLO": "250-here\r\n250-SIZE 26214400\r\n250 AUTH PLAIN LOGIN",
    "AUTH": "235 welcome",
    "MAIL": "250 ok",
    "RSET": "250 ok",
    "QUIT": "221 bye",
    "STARTTLS": "502 unknown",
}


class LineServer:
    """`talks` is IMAP or SMTP with some answers changed; `silent` accepts and says nothing."""

    def __init__(
        self,
        talks: Mapping[str, str | None],
        tls: ssl.SSLContext | None = None,
        *,
        silent: bool = False,
    ) -> None:
        self._talks, self._tls, self._silent = talks, tls, silent
        self._is_imap = "LOGIN" in talks
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            if self._silent:
                await reader.read()
                return
            await self._talk(reader, writer)
        writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tag, said = "*", self._talks[""]
        while said is not None:
            *before, last = said.split("\r\n")
            mark = f"{tag} " if self._is_imap and tag != "*" and last[:1] != "+" else ""
            writer.write("".join(f"{line}\r\n" for line in (*before, mark + last)).encode())
            await writer.drain()
            line = (await reader.readline()).decode().strip()
            if not line:
                return
            if line == "DONE":
                said = "OK done"
                continue
            if self._is_imap:
                tag, _, line = line.partition(" ")
            verb = line.split()[0].upper()
            unknown = "BAD unknown" if self._is_imap else "502 unknown"
            both = " ".join(line.split()[:2]).upper()
            said = self._talks.get(both, self._talks.get(verb, unknown))


@contextlib.asynccontextmanager
async def serving(
    talks: Mapping[str, str | None], tls: ssl.SSLContext | None = None, *, silent: bool = False
) -> AsyncIterator[int]:
    """A server for the time of a `with`; gives its port."""
    server = LineServer(talks, tls, silent=silent)
    port = await server.start()
    try:
        yield port
    finally:
        await server.stop()
