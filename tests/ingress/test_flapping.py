"""A day at a server that grants log-ins and little else, in simulated time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge import __version__
from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Inbox
from bridge.config.server import Imap, Server
from bridge.config.settings import Limits
from bridge.imap.account import connect
from bridge.ingress.imap import Watcher
from bridge.ingress.source import SourceContext
from bridge.model import InboxId
from bridge.model.login import AccessToken, Login
from bridge.ports import Credentials
from bridge.store.database import Database
from bridge.store.sqlite import Sqlite
from tests.servers.scripted_imap import Answer, ScriptedImap
from tests.stage import SUPPORT, mail, until

PASSWORDS = ConfiguredCredentials()
DAY = 24 * 3600.0
MOST = 100
"""Log-ins in a day."""


class World:
    """A clock that jumps to the end of each wait, and what a watcher tells."""

    def __init__(self, server: ScriptedImap) -> None:
        self.server, self.moved, self.told = server, 0.0, 0
        self.days: list[int] = []
        """The log-ins at the end of each day."""

    def now(self) -> float:
        return time.time() + self.moved

    async def sleep(self, seconds: float) -> None:
        self.moved += seconds
        while len(self.days) < self.moved // DAY:
            self.days.append(self.logins)
        await asyncio.sleep(0)

    async def refused(self, account: str, said: str) -> None:
        self.told += 1

    @property
    def logins(self) -> int:
        return sum(
            command.startswith(("LOGIN", "AUTHENTICATE")) for command in self.server.commands
        )


@asynccontextmanager
async def watching(
    folder: Path, answer: Answer, credentials: Credentials = PASSWORDS, **more: str
) -> AsyncIterator[tuple[World, Database]]:
    server = ScriptedImap(answer=answer, capabilities="IMAP4rev1 IDLE SASL-IR AUTH=XOAUTH2")
    await server.start()
    world = World(server)
    database = Database(await Sqlite.open(f"sqlite:{folder}/postroom.db"))
    imap = Imap(host="127.0.0.1", port=server.port, tls="none", user="s", password="secret", **more)
    inbox = Inbox(id=InboxId("support"), name="Support", address=SUPPORT, imap=imap)
    context = SourceContext(
        database, credentials, Limits(), lambda: None, world.refused, world.now, world.sleep,
    )  # fmt: skip
    task = asyncio.create_task(Watcher(context, [inbox]).run())
    try:
        yield world, database
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.close()
        await server.stop()


FAULTS: dict[str, dict[str, bytes]] = {
    "it refuses the folder": {"SELECT": b"TAG NO [UNAVAILABLE] later\r\n"},
    "it is not connected": {"SELECT": b"TAG BAD User is authenticated but not connected.\r\n"},
    "it hangs up at the folder": {"SELECT": b""},
    "it refuses searches": {"UID SEARCH": b"TAG NO Server is busy\r\n"},
    "it hangs up at a search": {"UID SEARCH": b""},
    "it refuses log-ins": {"LOGIN": b"TAG NO [AUTHENTICATIONFAILED] no\r\n"},
    "it refuses log-ins for now": {"LOGIN": b"TAG NO [UNAVAILABLE] no\r\n"},
    "it hangs up at the log-in": {"LOGIN": b""},
    "it refuses IDLE": {"IDLE": b"TAG BAD no IDLE\r\n"},
    "it hangs up at IDLE": {"IDLE": b""},
    "it gives no mail": {"UID FETCH": b"TAG NO Server Unavailable. 15\r\n"},
    "it hangs up at a mail": {"UID FETCH": b""},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_day_of_a_flapping_server(tmp_path: Path, fault: str) -> None:
    """It makes few log-ins, and afterwards every mail is there once."""
    is_ill = False

    def answer(verb: str, args: str) -> bytes | None:
        return FAULTS[fault].get(verb) if is_ill else None

    async with watching(tmp_path, answer) as (world, database):
        await until(lambda: "IDLE" in world.server.commands, "the first check")
        is_ill = True
        world.server.cut()
        for uid in range(1, 8):
            world.server.mails[uid] = mail(f"Mail {uid}", message_id=f"<{uid}@x.example>")
        first = len(world.days)
        await until(lambda: len(world.days) > first + 1, "a day to pass")
        assert world.days[first + 1] - world.days[first] <= MOST
        is_ill = False

        async def keys() -> list[str]:
            async with database.reading() as tx:
                rows = await tx.conn.fetch("SELECT source_key FROM intake ORDER BY id")
            return [row["source_key"].rpartition(":")[2] for row in rows]

        async def all_there() -> bool:
            return len(await keys()) >= 7

        world.server.cut()
        await until(all_there, "every mail")
        assert sorted(await keys()) == [str(uid) for uid in range(1, 8)]


class Token:
    """Credentials of a provider with OAuth2."""

    async def of(self, server: Server) -> Login:
        return AccessToken("s", "token")

    async def refused(self, server: Server) -> None:
        raise AssertionError("no log-in is refused")


async def test_a_session_that_a_provider_ends_after_an_hour_is_begun_anew_at_once(
    tmp_path: Path,
) -> None:
    async with watching(tmp_path, lambda verb, args: None, Token(), oauth="google") as (
        world, database,
    ):  # fmt: skip
        idles = world.server.commands.count
        for hour in range(1, 6):
            await until(lambda n=hour: idles("IDLE") == n, "a check")  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
            world.moved += 3600
            world.server.cut()
        await until(lambda: idles("IDLE") == 6, "the last check")
        assert world.moved == 5 * 3600, "nobody waited"
        async with database.reading() as tx:
            health = await tx.settings.health(f"s@127.0.0.1:{world.server.port}")
        assert health is not None
        assert not health[1]
        assert world.told == 0


@pytest.mark.parametrize(("capabilities", "password", "first"), [
    ("IMAP4rev1", "secret", 'LOGIN "s" "secret"'),
    ("IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR", "secret", "AUTHENTICATE PLAIN AHMAc2VjcmV0"),
    ("IMAP4rev1 AUTH=PLAIN SASL-IR", "sécret", "AUTHENTICATE PLAIN AHMAc8OpY3JldA=="),
    ("IMAP4rev1 AUTH=PLAIN SASL-IR ID", "secret", 'LOGIN "s" "secret"'),
])  # fmt: skip
async def test_how_a_server_wants_us_to_log_in(
    capabilities: str, password: str, first: str
) -> None:
    server = ScriptedImap(capabilities=capabilities)
    await server.start()
    try:
        imap = Imap(host="127.0.0.1", port=server.port, tls="none", user="s", password=password)
        connection = await connect(imap, ConfiguredCredentials())
        await connection.close()
    finally:
        await server.stop()
    said = [each for each in server.commands if each != "CAPABILITY"]
    assert said[0] == first
    names = [each for each in said if each.startswith("ID ")]
    assert names == ([f'ID ("name" "Postroom" "version" "{__version__}")'] if "ID" in
                     capabilities.split() else [])  # fmt: skip
