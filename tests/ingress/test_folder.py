"""Taking new mail from servers that give it whole, in part, or not at all."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Inbox
from bridge.config.server import Imap
from bridge.config.settings import Limits
from bridge.imap.connection import ImapConnection
from bridge.imap.syntax import ConnectionLost
from bridge.ingress.account import MailAccount
from bridge.ingress.folder import MAILS_PER_COMMIT, OLD_PER_COMMIT, FolderReader
from bridge.ingress.held import ENOUGH, FIELD, PAUSE, PAUSE_REPORTED, SEVERAL, TRIES
from bridge.ingress.source import SourceContext
from bridge.mail.parse import parse
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
            database, ConfiguredCredentials(), Limits(), lambda: None, _nobody_is_told, CLOCK.now
        )
        account = MailAccount(context, [inbox], imap)
        yield FolderReader(account, "INBOX"), server, database
    finally:
        await database.close()
        await server.stop()


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.moved = 0.0

    def now(self) -> float:
        return time.time() + self.moved


CLOCK = Clock()


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


async def later(reader: FolderReader, server: ScriptedImap, seconds: float = PAUSE) -> None:
    """A look when held mails are due."""
    CLOCK.moved += seconds + 1
    await look(reader, server)


async def taken(database: Database) -> list[tuple[int, bytes]]:
    """UIDs and bytes of what was accepted, in the order of acceptance."""
    async with database.reading() as tx:
        rows = await tx.conn.fetch(
            "SELECT source_key, bytes FROM intake JOIN raw ON raw.id = raw ORDER BY intake.id"
        )
    keys = [row["source_key"].removesuffix(":report") for row in rows]
    return [
        (int(key.rpartition(":")[2]), row["bytes"]) for key, row in zip(keys, rows, strict=True)
    ]


async def test_waiting_mails_are_accepted_together(tmp_path: Path) -> None:
    async with reading(tmp_path, 2 * OLD_PER_COMMIT - 5) as (reader, server, database):
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())
        assert database.commits["accept"] == 2
        assert sum("BODY" in command for command in server.commands) == 2


async def test_mails_that_arrive_share_a_commit_in_smaller_runs(tmp_path: Path) -> None:
    async with reading(tmp_path, 1) as (reader, server, database):
        await look(reader, server)
        for number in range(2, 2 * MAILS_PER_COMMIT):
            server.mails[number] = mail(f"Mail {number}", message_id=f"<{number}@x.example>")
        database.commits.clear()
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())
        assert database.commits["accept"] == 2


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


def is_asked(args: str, uid: int) -> bool:
    return str(uid) in args.partition(" ")[0].split(",")


@pytest.mark.parametrize("what", ["SIZE", "BODY"])
async def test_a_mail_the_server_leaves_out_is_not_passed_by(tmp_path: Path, what: str) -> None:
    gives = False

    def answer(verb: str, args: str) -> bytes | None:
        if what not in args or not is_asked(args, 3) or gives:
            return None
        held = server.mails.pop(3)
        said = server._uid_fetch(args)
        server.mails = dict(sorted({**server.mails, 3: held}.items()))
        return said + b"TAG OK done\r\n"

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        await look(reader, server)
        others = [(uid, raw) for uid, raw in server.mails.items() if uid != 3]
        assert await taken(database) == others
        gives = True
        await look(reader, server)  # too early
        assert await taken(database) == others
        await later(reader, server)
        assert await taken(database) == [*others, (3, server.mails[3])]
        await later(reader, server)
        assert len(await taken(database)) == 6


@pytest.mark.parametrize("said", [
    b"* 3 FETCH (UID 3 BODY[] NIL)\r\nTAG OK done", b"* 3 FETCH (UID 3 BODY[] (x))\r\nTAG OK done",
    b"* 3 FETCH (UID 3 FLAGS ())\r\nTAG OK done", b"TAG OK done", b"TAG NO cannot be read",
    b"TAG BAD no such thing",
])  # fmt: skip
async def test_one_mail_that_is_never_given_is_told_of_and_asked_for_again(
    tmp_path: Path, said: bytes
) -> None:
    gives = False

    def answer(verb: str, args: str) -> bytes | None:
        if verb != "UID FETCH" or "BODY" not in args or not is_asked(args, 3) or gives:
            return None
        return said + b"\r\n"

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        await look(reader, server)
        for _ in range(TRIES - 1):
            assert 3 not in dict(await taken(database))
            await later(reader, server)
        found = await taken(database)
        assert [uid for uid, _ in found] == [1, 2, 4, 5, 6, 3]
        assert b"Mail 3 in folder INBOX" in found[-1][1]
        await later(reader, server)
        assert await taken(database) == found
        gives = True
        await later(reader, server, PAUSE_REPORTED)
        assert await taken(database) == [*found, (3, server.mails[3])]


async def test_what_is_told_of_a_mail_has_its_header_where_the_server_gives_that(
    tmp_path: Path,
) -> None:
    gives = False

    def answer(verb: str, args: str) -> bytes | None:
        if verb != "UID FETCH" or "BODY" not in args or not is_asked(args, 3) or gives:
            return None
        if "HEADER" not in args:
            return b"TAG NO cannot be read\r\n"
        head = server.mails[3].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return b"* 3 FETCH (UID 3 BODY[HEADER] {%d}\r\n%s)\r\nTAG OK done\r\n" % (len(head), head)

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        await look(reader, server)
        for _ in range(TRIES - 1):
            await later(reader, server)
        told = parse((await taken(database))[-1][1])
        real = parse(server.mails[3])
        assert (told.sender, told.subject, told.message_id) == (
            real.sender, real.subject, real.message_id
        )  # fmt: skip
        assert "Mail 3 in folder INBOX" in told.text
        gives = True
        await later(reader, server, PAUSE_REPORTED)
        async with database.reading() as tx:
            rows = await tx.conn.fetch("SELECT note FROM intake ORDER BY id")
        assert "instead" in json.loads(rows[-1]["note"])


async def test_one_mail_alone_is_told_of_after_hours_only(tmp_path: Path) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        return b"TAG NO cannot be read\r\n" if "BODY" in args else None

    async with reading(tmp_path, 1, answer) as (reader, server, database):
        await look(reader, server)
        for _ in range(ENOUGH - 1):
            assert await taken(database) == []
            await later(reader, server)
        assert [uid for uid, _ in await taken(database)] == [1]


@pytest.mark.parametrize("said", [
    b"NO Server is busy, try later", b"NO [UNAVAILABLE] x", b"NO Server Unavailable. 15",
    b"BAD User is authenticated but not connected.", b"NO cannot be read",
])  # fmt: skip
async def test_a_server_that_gives_nothing_for_hours_makes_no_mail_of_it(
    tmp_path: Path, said: bytes
) -> None:
    gives = False

    def answer(verb: str, args: str) -> bytes | None:
        return None if gives or verb != "UID FETCH" else b"TAG " + said + b"\r\n"

    async with reading(tmp_path, 3 * SEVERAL, answer) as (reader, server, database):
        for _ in range(2 * ENOUGH):
            with contextlib.suppress(ConnectionLost):
                await later(reader, server)
        assert await taken(database) == []
        gives = True
        await later(reader, server)
        assert sorted(await taken(database)) == list(server.mails.items())


@pytest.mark.parametrize("meta", [
    b"RFC822.SIZE NIL", b"RFC822.SIZE (x)", b"RFC822.SIZE -1", b"FLAGS ()", b"INTERNALDATE NIL",
])  # fmt: skip
async def test_a_mail_without_size_or_date_is_taken(tmp_path: Path, meta: bytes) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if "SIZE" not in args or not is_asked(args, 3):
            return None
        said = server._uid_fetch(args).splitlines()
        said[2] = b"* 3 FETCH (UID 3 %s)" % meta
        return b"\r\n".join(said) + b"\r\nTAG OK done\r\n"

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())


async def test_an_answer_without_a_uid_is_of_the_only_mail_asked_for(tmp_path: Path) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        if verb != "UID FETCH" or "," in args.partition(" ")[0]:
            return None
        said = server._uid_fetch(args).replace(b"UID 1 ", b"")
        return b"* 1 FETCH (FLAGS (\\Seen))\r\n" + said + b"TAG OK done\r\n"

    async with reading(tmp_path, 1, answer) as (reader, server, database):
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())


async def test_an_old_mail_that_was_held_stays_old(tmp_path: Path) -> None:
    gives = False

    def answer(verb: str, args: str) -> bytes | None:
        if verb != "UID FETCH":
            return None
        said = server._uid_fetch(args).replace(b"UID 3 RFC822", b"UID 3 OLD")
        if not gives:
            said = b"".join(row for row in said.splitlines(True) if b"UID 3 OLD" not in row)
        old = said.replace(b"OLD", b"RFC822")
        rows = [
            row.replace(b"27-Nov-2026", b"27-Nov-2009") if b"UID 3" in row else row
            for row in old.splitlines(True)
        ]
        return b"".join(rows) + b"TAG OK done\r\n"

    async with reading(tmp_path, 6, answer) as (reader, server, database):
        await look(reader, server)
        gives = True
        await later(reader, server)
        await later(reader, server)
        assert [uid for uid, _ in await taken(database)] == [1, 2, 4, 5, 6]
        async with database.reading() as tx:
            assert await tx.held.of_account(reader._account.name) == (0, "")


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
        server.mails = {uid: mail("x" * 200_000, message_id=f"<{uid}@x>") for uid in range(1, 32)}
        with pytest.raises(Exception, match="announced"):
            await look(reader, server)
        await look(reader, server)
        assert await taken(database) == list(server.mails.items())


async def test_one_mail_that_ends_the_connection_is_told_of_alone(tmp_path: Path) -> None:
    def answer(verb: str, args: str) -> bytes | None:
        return b"" if "BODY" in args and is_asked(args, 7) else None

    async with reading(tmp_path, 12, answer) as (reader, server, database):
        for _ in range(3):  # several together, then one by one, twice
            with pytest.raises(ConnectionLost):
                await look(reader, server)
        await look(reader, server)
        others = {uid: raw for uid, raw in server.mails.items() if uid != 7}
        assert dict(await taken(database)) == others
        for _ in range(ENOUGH):
            with contextlib.suppress(ConnectionLost):
                await later(reader, server)
        found = dict(await taken(database))
        assert b"could not be fetched" in found.pop(7)
        assert found == others


def test_a_header_of_a_held_mail_is_read_in_linear_time() -> None:
    began = time.process_time()
    found = FIELD.findall(
        b"x" * 90_000 + b"\nHello From: boss@acme.example\nFrom: c@x.example\n b\n"
    )
    assert found == [b"From: c@x.example\n b\n"]
    assert time.process_time() - began < 2
