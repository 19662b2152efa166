"""Taking new mail from servers that give it whole, in part, or not at all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Imap, Inbox
from bridge.config.settings import Limits
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import ConnectionLost
from bridge.ingress.folder import (
    FETCH_TRIES,
    LOST_TRIES,
    MAILS_PER_COMMIT,
    FolderReader,
    MailAccount,
)
from bridge.ingress.source import SourceContext
from bridge.model import InboxId
from bridge.store.connection import Engine
from bridge.store.database import Database, Work
from bridge.store.sqlite import Sqlite
from tests.servers.scripted_imap import Answer, ScriptedImap
from tests.stage import SUPPORT, mail


class CountingDatabase(Database):
    """Counts the commits of each name."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        super().__init__(engine, now)
        self.commits: Counter[str] = Counter()

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[Work]:
        self.commits[name] += 1
        async with super().transaction(name) as tx:
            yield tx


@asynccontextmanager
async def reading(
    folder: Path, count: int, answer: Answer = lambda verb, args: None
) -> AsyncIterator[tuple[FolderReader, ScriptedImap, CountingDatabase]]:
    """A folder of so many mails on a server that answers so."""
    letters = [mail(f"Mail {n}", message_id=f"<{n}@x.example>") for n in range(1, count + 1)]
    server = ScriptedImap(*letters, answer=answer)
    await server.start()
    database = CountingDatabase(await Sqlite.open(f"sqlite:{folder}/postroom.db"))
    try:
        port = server.port
        imap = Imap(
            host="127.0.0.1", port=port, tls="none", user="support", password="secret",
            since="2020-01-01",
        )  # fmt: skip
        inbox = Inbox(id=InboxId("support"), name="Support", address=SUPPORT, imap=imap)
        context = SourceContext(
            database, ConfiguredCredentials(), Limits(), lambda: None, _nobody_is_told
        )
        account = MailAccount(context, [inbox], imap)
        yield FolderReader(account, "INBOX"), server, database
    finally:
        await database.close()
        await server.stop()


async def _nobody_is_told(source: str, said: str) -> None:
    raise AssertionError(f"{source}: {said}")


async def look(reader: FolderReader, server: ScriptedImap) -> None:
    """One look on a connection of its own."""
    connection = await ImapConnection.connect("127.0.0.1", server.port, "none", timeout=30)
    try:
        await connection.login("support", "secret")
        await reader.take_new(connection)
    finally:
        await connection.close()


async def taken(database: Database) -> list[tuple[int, bytes]]:
    """UIDs and bytes of what was accepted, in the order of acceptance."""
    async with database.reading() as tx:
        rows = await tx.conn.fetch(
            "SELECT source_key, bytes FROM intake JOIN raw ON raw.id = raw ORDER BY intake.id"
        )
    return [(int(row["source_key"].rpartition(":")[2]), row["bytes"]) for row in rows]


async def test_waiting_mails_are_accepted_together(tmp_path: Path) -> None:
    async with reading(tmp_path, 3 * MAILS_PER_COMMIT - 5) as (reader, server, database):
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())
        assert database.commits["accept"] == 3
        assert sum("BODY" in command for command in server.commands) == 3


async def test_what_the_server_refuses_together_is_taken_one_by_one(tmp_path: Path) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        return b"TAG NO too much at once\r\n" if "BODY" in args and "," in args else None

    async with reading(tmp_path, 30, answer) as (reader, server, database):
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())


async def test_a_mail_gone_before_it_is_fetched_keeps_no_other_back(tmp_path: Path) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if "BODY" in args:
            server.mails.pop(3, None)
        return None

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        await look(reader, server)
        assert [uid for uid, _ in await taken(database)] == [1, 2, 4, 5, 6]


@pytest.mark.parametrize("what", ["SIZE", "BODY"])
async def test_a_mail_the_server_leaves_out_is_not_passed_by(tmp_path: Path, what: str) -> None:
    left_out = 0

    def answer(verb: str, args: str) -> bytes | None:
        nonlocal left_out
        if what not in args or "3" not in args.partition(" ")[0].split(",") or left_out == 2:
            return None
        left_out += 1
        held = server.mails.pop(3)
        said = server._uid_fetch(args)
        server.mails = dict(sorted({**server.mails, 3: held}.items()))
        return said + b"TAG OK done\r\n"

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        while left_out < 2:
            with pytest.raises(ConnectionLost, match="does not give it"):
                await look(reader, server)
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())


@pytest.mark.parametrize("said", [b"BODY[] NIL", b"BODY[] (x)", b"FLAGS ()"])
async def test_one_mail_that_is_never_given_is_told_of(tmp_path: Path, said: bytes) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if "BODY" not in args or "3" not in args.partition(" ")[0].split(","):
            return None
        return b"* 3 FETCH (UID 3 %s)\r\nTAG OK done\r\n" % said

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        for _ in range(FETCH_TRIES - 1):
            with pytest.raises(ConnectionLost, match="does not give it"):
                await look(reader, server)
        await look(reader, server)
        found = dict(await taken(database))
        assert list(found) == list(server.mails)
        assert b"could not be fetched" in found[3]


@pytest.mark.parametrize("size", [b"NIL", b"(x)", b"-1"])
async def test_a_size_that_is_none_keeps_no_other_mail_back(tmp_path: Path, size: bytes) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if "SIZE" not in args or "3" not in args.partition(" ")[0].split(","):
            return None
        return (
            server._uid_fetch(args).replace(
                b"UID 3 RFC822.SIZE %d" % len(server.mails[3]), b"UID 3 RFC822.SIZE " + size
            )
            + b"TAG OK done\r\n"
        )

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        for _ in range(FETCH_TRIES - 1):
            with pytest.raises(ConnectionLost, match="does not give it"):
                await look(reader, server)
        await look(reader, server)
        assert list(dict(await taken(database))) == list(server.mails)


async def test_mails_larger_than_the_server_said_are_taken(tmp_path: Path) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if "SIZE" not in args:
            return None
        return (
            b"".join(
                b'* %d FETCH (UID %d RFC822.SIZE 1 INTERNALDATE "27-Nov-2026 10:00:00 +0000")\r\n'
                % (uid, uid)
                for uid in server.mails
                if str(uid) in args.partition(" ")[0].split(",")
            )
            + b"TAG OK done\r\n"
        )

    async with reading(tmp_path, 0, answer) as (reader, server, database):
        server.mails = {uid: mail("x" * 200_000, message_id=f"<{uid}@x>") for uid in range(1, 12)}
        with pytest.raises(Exception, match="announced"):
            await look(reader, server)
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())


async def test_one_mail_that_ends_the_connection_is_told_of_alone(tmp_path: Path) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        return b"" if "BODY" in args and "7" in args.partition(" ")[0].split(",") else None

    async with reading(tmp_path, 12, answer) as (reader, server, database):
        for _ in range(LOST_TRIES + 1):  # the first is that of several together
            with pytest.raises(ConnectionLost):
                await look(reader, server)
        await look(reader, server)
        found = dict(await taken(database))
        assert list(found) == list(server.mails)
        assert b"could not be fetched" in found.pop(7)
        assert all(found[uid] == server.mails[uid] for uid in found)
