"""The IMAP client against a scripted server: what aioimaplib gets wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import (
    CommandRefused,
    ConnectionLost,
    LoginRefused,
    TooLarge,
    parse,
    quote,
    utf7_decode,
    utf7_encode,
)

CAPABILITIES = "IMAP4rev1 IDLE SASL-IR"


class Peer:
    """The server's side: reads commands, writes what the test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.seen: list[str] = []

    async def command(self) -> tuple[str, str]:
        line = (await self.reader.readline()).decode()
        if not line:
            raise EOFError
        self.seen.append(line.rstrip("\r\n"))
        tag, _, rest = line.rstrip("\r\n").partition(" ")
        return tag, rest

    async def send(self, *lines: bytes | str, piece: int = 0) -> None:
        data = b"".join((each.encode() if isinstance(each, str) else each) for each in lines)
        if not piece:
            self.writer.write(data)
        for start in range(0, len(data) if piece else 0, piece or 1):
            self.writer.write(data[start : start + piece])
            await self.writer.drain()
            await asyncio.sleep(0)
        await self.writer.drain()

    async def upto_selected(self) -> None:
        await self.send(f"* OK [CAPABILITY {CAPABILITIES}] hello\r\n")
        tag, _ = await self.command()
        await self.send(f"{tag} OK [CAPABILITY {CAPABILITIES}] in\r\n")
        tag, _ = await self.command()
        await self.send("* 3 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT 4] n\r\n",
                        f"{tag} OK done\r\n")  # fmt: skip


@asynccontextmanager
async def served(
    script: Callable[[Peer], Awaitable[None]],
) -> AsyncIterator[tuple[int, list[Peer]]]:
    peers: list[Peer] = []
    tasks: set[asyncio.Task[None]] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(Peer(reader, writer))
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(EOFError, ConnectionError, asyncio.CancelledError):
            await script(peers[-1])
        writer.transport.abort()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], peers
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def selected(script: Callable[[Peer], Awaitable[None]]) -> AsyncIterator[ImapConnection]:
    async def whole(peer: Peer) -> None:
        await peer.upto_selected()
        await script(peer)

    async with served(whole) as (port, _):
        connection = await ImapConnection.connect("127.0.0.1", port, "none", timeout=2.0)
        await connection.login("me", "secret")
        await connection.select("INBOX")
        try:
            yield connection
        finally:
            await connection.close()


async def test_twenty_thousand_lines_in_one_burst_take_no_time() -> None:
    async def script(peer: Peer) -> None:
        tag, _ = await peer.command()
        noise = "".join(f"* {n} FETCH (FLAGS (\\Seen))\r\n" for n in range(1, 20_001))
        await peer.send(noise, "* SEARCH 1 2 3\r\n", f"{tag} OK done\r\n")

    async with selected(script) as connection:
        began = time.monotonic()
        assert await connection.search("ALL") == [1, 2, 3]
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("piece", [0, 1, 7])
async def test_a_body_comes_back_byte_for_byte(piece: int) -> None:
    bodies = [
        b"* 1 EXISTS\r\nA1 OK not yet\r\n)\r\n* BYE\r\n",
        b'"* " and {5}\r\n\x80\xff\x00lone\rlone\n(((',
        bytes(random.Random(5).randbytes(700)),
    ]

    async def script(peer: Peer) -> None:
        for body in bodies:
            tag, _ = await peer.command()
            await peer.send(f"* 1 FETCH (UID 1 BODY[] {{{len(body)}}}\r\n", body, ")\r\n",
                            f"{tag} OK done\r\n", piece=piece)  # fmt: skip

    async with selected(script) as connection:
        for body in bodies:
            assert await connection.fetch_raw(1, 10_000) == body


async def test_a_literal_larger_than_asked_for_is_refused_before_it_comes() -> None:
    async def script(peer: Peer) -> None:
        await peer.command()
        await peer.send("* 1 FETCH (UID 1 BODY[] {99999999}\r\n", b"x" * 1000)
        await peer.command()

    async with selected(script) as connection:
        with pytest.raises(TooLarge):
            await connection.fetch_raw(1, 10_000)
        assert connection.closed


async def test_a_bye_in_idle_ends_it_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.command()
        await peer.send("+ idling\r\n")
        await asyncio.sleep(0.05)
        await peer.send("* BYE shutting down\r\n")
        await asyncio.sleep(5)

    async with selected(script) as connection:
        began = time.monotonic()
        with pytest.raises(ConnectionLost, match="shutting down"):
            await connection.idle(60)
        assert time.monotonic() - began < 2


async def test_mail_announced_between_search_and_idle_ends_the_idle_at_once() -> None:
    async def script(peer: Peer) -> None:
        tag, _ = await peer.command()
        await peer.send("* SEARCH 1\r\n* 4 EXISTS\r\n", f"{tag} OK done\r\n")
        await peer.command()

    async with selected(script) as connection:
        await connection.search("ALL")
        async with asyncio.timeout(1):
            assert await connection.idle(60)


async def test_a_lost_connection_fails_the_pending_command() -> None:
    async def script(peer: Peer) -> None:
        await peer.command()
        peer.writer.transport.abort()

    async with selected(script) as connection:
        with pytest.raises(ConnectionLost):
            await connection.search("ALL")


async def test_a_silent_server_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.command()
        await asyncio.sleep(5)

    async with selected(script) as connection:
        connection.timeout = 0.2
        with pytest.raises(ConnectionLost, match="no answer in time"):
            await connection.search("ALL")


async def test_no_is_an_exception_and_the_connection_stands() -> None:
    async def script(peer: Peer) -> None:
        tag, _ = await peer.command()
        await peer.send(f"{tag} NO [NONEXISTENT] no such folder\r\n")
        tag, _ = await peer.command()
        await peer.send(f"{tag} OK done\r\n")

    async with selected(script) as connection:
        with pytest.raises(CommandRefused) as caught:
            await connection.select("Nowhere")
        assert caught.value.code == "NONEXISTENT"
        await connection.noop()


async def test_a_refused_xoauth2_tells_the_servers_reason() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(f"* OK [CAPABILITY {CAPABILITIES}] hello\r\n")
        tag, _ = await peer.command()
        await peer.send(b"+ " + base64.b64encode(b'{"status":"400"}') + b"\r\n")
        await peer.reader.readline()
        await peer.send(f"{tag} NO [AUTHENTICATIONFAILED] bad token\r\n")

    async with served(script) as (port, _):
        connection = await ImapConnection.connect("127.0.0.1", port, "none", timeout=2.0)
        with pytest.raises(LoginRefused, match=r'bad token.*"status":"400"'):
            await connection.xoauth2("me", "token")
        await connection.close()


async def test_what_was_sent_before_starttls_is_not_believed() -> None:
    async def script(peer: Peer) -> None:
        await peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n")
        tag, _ = await peer.command()
        await peer.send(f"{tag} OK go on\r\n* PREAUTH injected\r\na1 OK injected\r\n")
        await asyncio.sleep(0.2)

    async with served(script) as (port, peers):
        with pytest.raises(ConnectionLost):
            await ImapConnection.connect("127.0.0.1", port, "starttls", timeout=1.0)
        assert not any("LOGIN" in line for line in peers[0].seen)


async def test_starttls_refused_sends_no_password() -> None:
    async def script(peer: Peer) -> None:
        await peer.send("* OK [CAPABILITY IMAP4rev1] hello\r\n")
        tag, _ = await peer.command()
        await peer.send(f"{tag} NO not today\r\n")

    async with served(script) as (port, peers):
        with pytest.raises(ConnectionLost, match="refuses STARTTLS"):
            await ImapConnection.connect("127.0.0.1", port, "starttls", timeout=1.0)
        assert len(peers[0].seen) == 1


async def test_names_are_quoted() -> None:
    seen = []

    async def script(peer: Peer) -> None:
        await peer.send(f"* OK [CAPABILITY {CAPABILITIES}] hello\r\n")
        tag, rest = await peer.command()
        seen.append(rest)
        await peer.send(f"{tag} NO wrong\r\n")

    async with served(script) as (port, _):
        connection = await ImapConnection.connect("127.0.0.1", port, "none", timeout=2.0)
        with pytest.raises(LoginRefused) as caught:
            await connection.login('me" or', "back\\slash")
        await connection.close()
    assert seen == ['LOGIN "me\\" or" "back\\\\slash"']
    assert "slash" not in str(caught.value)


@pytest.mark.parametrize("name", ["INBOX", "Gesendete Elemente", "Entwürfe & Co", "送信済み"])
def test_mailbox_names_survive_modified_utf7(name: str) -> None:
    assert utf7_encode(name).isascii()
    assert utf7_decode(utf7_encode(name)) == name


def test_control_characters_are_no_part_of_a_string() -> None:
    with pytest.raises(ValueError, match="control character"):
        quote("a\r\nb")


def test_responses_are_parsed_as_nested_lists() -> None:
    assert parse([b'1 FETCH (UID 5 FLAGS (\\Seen) X "a * b" NIL)']) == [
        b"1", b"FETCH", [b"UID", b"5", b"FLAGS", [b"\\Seen"], b"X", b"a * b", None]
    ]  # fmt: skip
    with pytest.raises((ValueError, IndexError)):
        parse([b"1 FETCH (UID 5))"])
