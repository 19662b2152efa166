"""The stage of the fast tests: fake homeserver, pymap, scripted SMTP, and a bridge between."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

from bridge.app import App
from bridge.config.init import registration_text
from bridge.config.load import load, load_registration
from bridge.config.settings import Listener
from bridge.demo.imapserver import PymapServer
from bridge.demo.ports import free_ports
from bridge.sandbox.starter import ReadingProcess
from tests.servers.database import rows
from tests.servers.homeserver import FakeHomeserver
from tests.servers.matrix_state import DOMAIN, Room
from tests.servers.smtp import ScriptedSmtp

ADMIN, ALICE, BOB, EVE = (f"@{name}:{DOMAIN}" for name in ("admin", "alice", "bob", "eve"))
SUPPORT, SALES = "support@acme.example", "sales@acme.example"
CUSTOMER = "carla@customer.example"
PASSWORD = "secret"
AUTHSERV = "mx.acme.example"
PASSED, FAILED = (
    f"{AUTHSERV}; dmarc={result} header.from=customer.example" for result in ("pass", "fail")
)
"""What an inbox's own server says of a mail of the customer."""


PATIENCE = float(os.environ.get("PATIENCE", "60"))
"""Seconds after which something is waited for in vain. Less for those who know that it is."""


async def until(
    probe: Callable[[], Any], what: str | Callable[[], str], timeout: float = PATIENCE
) -> Any:
    """Wait until `probe`, or what it awaits, is true; returns what it gave.

    Pauses four times as long as the probe took: asking a server all the time slows what is awaited.
    """
    deadline = time.monotonic() + timeout
    while True:
        began = time.monotonic()
        value = probe()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        ended = time.monotonic()
        if ended > deadline:
            shown = what() if callable(what) else what
            raise AssertionError(f"waited {timeout} s in vain for {shown}")
        await asyncio.sleep(max(0.02, 4 * (ended - began)))


def mail(
    text: str = "Hello, my display stays dark.",
    *,
    subject: str = "Dark display",
    message_id: str = "<m1@customer.example>",
    sender: str = f"Carla Customer <{CUSTOMER}>",
    to: str = SUPPORT,
    files: tuple[tuple[str, str, bytes], ...] = (),
    html: str = "",
    **headers: str,
) -> bytes:
    """A mail as a customer's program writes it; header names with _ for -."""
    message = EmailMessage(policy=default.clone(linesep="\r\n"))
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = formatdate()
    if message_id:
        message["Message-ID"] = message_id
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, type_, data in files:
        maintype, _, subtype = type_.partition("/")
        message.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
    return message.as_bytes()


class Scene:
    """The servers around a bridge, and what tests do with them; the bridge itself comes apart."""

    heard: list[str]
    """Ids of what another program was told of, where a test has one."""

    def __init__(self, folder: Path, database: str = "sqlite:postroom.db") -> None:
        self.folder, self.database = folder, database
        self.hs = FakeHomeserver("as", "hs")
        self.imap = PymapServer(str(folder / "mail"), {SUPPORT: PASSWORD})
        self.smtp = ScriptedSmtp(folder / "accepted.jsonl")
        ports = free_ports(2)
        self.appservice = {"port": ports[0]}
        self.health = {"port": ports[1]}

    async def start(self) -> None:
        (self.folder / "mail").mkdir(exist_ok=True)
        await self.hs.start()
        await self.imap.start()
        await self.smtp.start()
        self.hs.appservice = f"http://127.0.0.1:{self.appservice['port']}"

    async def stop(self) -> None:
        await self.imap.stop()
        await self.smtp.stop()
        await self.hs.stop()

    def config(self, **inbox: Any) -> dict[str, Any]:
        """One inbox, support; `inbox` overrides its keys."""
        support = {
            "name": "Support", "address": SUPPORT, "agents": [ALICE, BOB], "undo": 0,
            "imap": {"host": "127.0.0.1", "port": self.imap.port, "tls": "none", "user": SUPPORT,
                     "password": PASSWORD},
            "smtp": {"host": "127.0.0.1", "port": self.smtp.port, "tls": "none", "auth": "none"},
            **inbox,
        }  # fmt: skip
        return {
            "homeserver": {"url": self.hs.url, "server_name": DOMAIN},
            "appservice": self.appservice,
            "health": self.health,
            "database": self.database,
            "admins": [ADMIN],
            "inboxes": {"support": support},
        }

    async def room(self, name: str) -> Room:
        return await until(lambda: self.hs.named(name), f"room {name!r}")

    async def queue(self, *agents: str) -> Room:
        """The queue room, entered by `agents`."""
        return await self.enter("Support queue", *agents)

    async def enter(self, name: str, *people: str) -> Room:
        """A room, entered by `people` as they are invited."""
        room = await self.room(name)
        for mxid in people:
            await until(lambda mxid=mxid: room.membership(mxid) in ("invite", "join"),  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
                        f"the invitation of {mxid} into {name}")  # fmt: skip
            if room.membership(mxid) != "join":
                self.hs.join(mxid, room.id)
        return room

    async def conversation(self, number: int = 1) -> Room:
        def found() -> Room | None:
            for room in self.hs.rooms.values():
                name = room.state.get(("m.room.name", ""), {"content": {}})["content"].get("name")
                if str(name).startswith(f"#{number} "):
                    return room
            return None

        return await until(found, f"room of conversation {number}")

    async def sees(self, room: Room, text: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait for a message that holds `text`."""

        def found() -> dict[str, Any] | None:
            for event in self.hs.messages(room):
                if text in event["content"].get("body", ""):
                    return event
            return None

        return await until(found, lambda: f"{text!r} in {self.hs.bodies(room)}", timeout)

    async def finished(self, timeout: float = PATIENCE) -> None:
        """Wait until no job is left, dead ones included; the bridge may be another process."""

        async def idle() -> bool:
            left = "SELECT id FROM job WHERE kind <> 'renew'"  # an access is always renewed later
            return not await rows(self.database, self.folder, left)

        await until(idle, "all jobs to end", timeout)

    async def sent(self, count: int = 1, timeout: float = PATIENCE) -> list[EmailMessage]:
        """Wait until `count` mails were accepted; returns all of them."""
        await until(lambda: len(self.smtp.accepted()) >= count, f"{count} mails", timeout)
        parser = BytesParser(policy=default)
        return [parser.parsebytes(entry["raw"]) for entry in self.smtp.accepted()]


class Stage(Scene):
    """A scene with the bridge in this process."""

    app: App
    reading = ReadingProcess()
    """One for all bridges of this process: loading what it needs takes longer than most tests."""

    async def open(self, config: dict[str, Any] | None = None, **inbox: Any) -> App:
        path = self.folder / "config.yaml"
        path.write_text(json.dumps(config or self.config(**inbox)))
        registration = self.folder / "registration.yaml"
        listener = Listener(**self.appservice)
        registration.write_text(registration_text(DOMAIN, listener, as_token="as", hs_token="hs"))
        settings = load(path, make_key=True)
        registered = load_registration(settings)
        self.app = await App(settings, registered, self.reading).__aenter__()
        for inboxes in settings.accounts().values():
            account = inboxes[0].imap.account  # type: ignore[union-attr]  # it has one
            await until(partial(self._checked, account), f"first check of {account}")
        return self.app

    async def _checked(self, account: str) -> bool:
        async with self.app.database.reading() as tx:
            return await tx.settings.health(account) is not None

    async def close(self) -> None:
        await self.app.__aexit__()

    async def quiet(self, timeout: float = PATIENCE) -> None:
        """Wait until no job is due: everything that was asked for is done."""
        await self.quiet_but("dead", timeout=timeout)

    async def quiet_but(self, *kinds: str, timeout: float = PATIENCE) -> None:
        """Wait until no other job is left than of these kinds."""

        async def idle() -> bool:
            async with self.app.database.reading() as tx:
                counts = await tx.jobs.counts()
            return not counts.keys() - {*kinds, "dead"}

        await until(idle, "the jobs to end", timeout)

    async def mail(self, raw: bytes, box: str = SUPPORT) -> None:
        await self.imap.append(box, raw)
