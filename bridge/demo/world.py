"""The demo's servers around the bridge; ports and access tokens are stored in its folder."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from bridge.app import App
from bridge.config.init import registration_text
from bridge.config.load import load, load_registration, write_private
from bridge.config.settings import Listener
from bridge.demo.imapserver import PymapServer
from bridge.demo.mailserver import JOURNAL, MailServer
from bridge.demo.person import Person
from bridge.demo.ports import free_ports
from bridge.demo.synapse import VERSION, Synapse, install

SERVER = "demo.local"
PASSWORD = "demo"  # noqa: S105 - of throw-away users on this machine
SUPPORT, CUSTOMER = "support@acme.example", "carla@customer.example"
MAILBOXES = {SUPPORT: PASSWORD, CUSTOMER: PASSWORD}
PEOPLE = ("admin", "alice", "bob")
PORTS = ("homeserver", "appservice", "health", "public", "imap", "smtp")
UNDO = 10
"""Seconds in which who plays with the demo can stop a mail; the story does not wait as long."""


class World:
    """All servers and people of a demo, with all data in `folder`; a killed demo can continue."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder.resolve(), say
        self._file = self.folder / "state.json"
        self._stack = AsyncExitStack()
        self.people: dict[str, Person] = {}
        self.state: dict[str, Any] = {}
        self.bridge: asyncio.Task[None] | None = None

    def remember(self, **values: Any) -> None:
        """Store values for a later start, atomically."""
        self.state |= values
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self.state, indent=1))
        os.replace(fresh, self._file)

    async def __aenter__(self) -> World:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._file.exists():
            self.state = json.loads(self._file.read_text())
        missing = [name for name in PORTS if name not in self.state.get("ports", {})]
        if missing:
            fresh = dict(zip(missing, free_ports(len(missing)), strict=True))
            self.remember(ports={**self.state.get("ports", {}), **fresh})
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        ports = self.state["ports"]
        venv = Path(os.environ.get("POSTROOM_SYNAPSE", self.folder / f"synapse-{VERSION}"))
        python = await install(venv, self.say)
        registration = self._write_configuration(undo=1)
        await self._start_mail(ports)
        self.synapse = Synapse(
            self.folder / "homeserver", python, ports["homeserver"],
            server_name=SERVER, registrations=[registration],
        )  # fmt: skip
        self.say("starting Synapse")
        await _freed(ports["homeserver"])
        await self.synapse.start()
        self._stack.push_async_callback(self.synapse.stop)
        for name in PEOPLE:
            token = self.state.get("tokens", {}).get(name)
            if token is None:
                token = await self._register(name)
            person = Person(self.synapse.url, f"@{name}:{SERVER}", token)
            self.people[name] = person
            self._stack.push_async_callback(person.close)
        self._stack.push_async_callback(self._stop_bridge)
        await self._start_bridge()

    async def _start_bridge(self) -> None:
        self.say("starting the bridge")
        settings = load(self.folder / "config.yaml", make_key=True)
        for name in ("appservice", "health", "public"):
            await _freed(self.state["ports"][name])
        self._app = App(settings, load_registration(settings))
        await self._app.__aenter__()
        self.bridge = asyncio.create_task(self._app.run())
        await _healthy(self.state["ports"]["health"])

    async def _stop_bridge(self) -> None:
        if self.bridge is not None:
            self.bridge.cancel()
            await asyncio.gather(self.bridge, return_exceptions=True)
            await self._app.__aexit__(None, None, None)
            self.bridge = None

    async def take_time(self) -> None:
        """Start the bridge again with the undo time of everyday use."""
        await self._stop_bridge()
        self._write_configuration(undo=UNDO)
        await self._start_bridge()

    async def _register(self, name: str) -> str:
        try:
            token = await self.synapse.register(name, PASSWORD, admin=name == "admin")
        except RuntimeError:  # an earlier run registered the user and was killed
            anybody = Person(self.synapse.url, "", "")
            answer = await anybody.call("POST", "/_matrix/client/v3/login", {
                "type": "m.login.password", "password": PASSWORD,
                "identifier": {"type": "m.id.user", "user": name},
            })  # fmt: skip
            await anybody.close()
            token = str(answer["access_token"])
        self.remember(tokens={**self.state.get("tokens", {}), name: token})
        return token

    async def _start_mail(self, ports: dict[str, int]) -> None:
        self.say("starting the mail server")
        mailboxes = self.folder / "mail"
        mailboxes.mkdir(exist_ok=True)
        await _freed(ports["imap"])
        self.imap = PymapServer(str(mailboxes), MAILBOXES, port=ports["imap"])
        await self.imap.start()
        self._stack.push_async_callback(self.imap.stop)
        await _freed(ports["smtp"])
        self.smtp = MailServer(self.folder / JOURNAL, self._put, ports["smtp"])
        await self.smtp.start()
        self._stack.push_async_callback(self.smtp.stop)

    async def _put(self, recipient: str, raw: bytes) -> None:
        if recipient.lower() in MAILBOXES:
            await self.imap.append(recipient.lower(), raw)

    def _write_configuration(self, *, undo: int) -> Path:
        """Write the bridge's two files, config.yaml and registration.yaml; returns the latter."""
        ports = self.state["ports"]
        registration = self.folder / "registration.yaml"
        listener = Listener(port=ports["appservice"])
        if not registration.exists():
            write_private(registration, registration_text(SERVER, listener))
        end = {"host": "127.0.0.1", "tls": "none", "user": SUPPORT, "password": PASSWORD}
        config = {
            "homeserver": {
                "url": f"http://127.0.0.1:{ports['homeserver']}",
                "server_name": SERVER,
            },
            "appservice": {"port": ports["appservice"]},
            "health": {"port": ports["health"]},
            "public_url": f"http://127.0.0.1:{ports['public']}",
            "public": {"port": ports["public"]},
            "admins": [f"@admin:{SERVER}"],
            "log_level": os.environ.get("POSTROOM_LOG", "WARNING"),
            "inboxes": {
                "support": {
                    "name": "Support",
                    "address": SUPPORT,
                    "agents": [f"@{name}:{SERVER}" for name in ("alice", "bob")],
                    "undo": undo,
                    "signature": "Acme Support",
                    "imap": {**end, "port": ports["imap"]},
                    "smtp": {"host": "127.0.0.1", "tls": "none", "auth": "none",
                             "port": ports["smtp"]},
                }
            },
        }  # fmt: skip
        write_private(self.folder / "config.yaml", json.dumps(config, indent=1))  # JSON is YAML
        return registration


async def _healthy(port: int, timeout: float = 30.0) -> None:
    """Wait until the bridge's health page says that everything works: mail that arrives before the
    first check of a mailbox counts as old mail and is not taken."""
    deadline = time.monotonic() + timeout
    answer = "no answer"
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline:
            try:
                async with http.get(f"http://127.0.0.1:{port}/health") as response:
                    if response.status == 200:
                        return
                    answer = await response.text()
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the bridge is not well: {answer}")


async def _freed(port: int, timeout: float = 10.0) -> None:
    """Wait until a port is free: servers of a killed demo need a moment to end."""
    deadline = time.monotonic() + timeout
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"port {port} stays in use") from error
        await asyncio.sleep(0.1)


def out(text: str) -> None:
    """Print a line and flush: a test may kill us after any line."""
    print(text, flush=True)
