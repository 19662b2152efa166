"""A town of real servers: Synapse, Dovecot, scripted SMTP, agents by matrix-nio, a bridge that
can be killed."""

from __future__ import annotations

import asyncio
import imaplib
import json
import re
import smtplib
import uuid
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import nio

from bridge.config.init import registration_text
from bridge.config.settings import Listener
from bridge.demo.ports import free_ports
from bridge.demo.synapse import Synapse
from tests.homeservers import PLAIN, Setting
from tests.provision import SYNAPSE
from tests.servers.bridge import Bridge, Zygote
from tests.servers.database import rows
from tests.servers.dovecot import DovecotServer
from tests.servers.mas import FakeMas
from tests.servers.smtp import ScriptedSmtp
from tests.stage import until

DOMAIN = "real.local"
BOXES = {f"{name}@acme.example": "secret" for name in ("support", "sales")} | {
    f"{name}@customer.example": "secret" for name in ("carla", "dora", "emil")
}


PEOPLE = ("admin", "alice", "bob", "eve")


class Agent:
    """A person with matrix-nio, a client that shares no code with the bridge."""

    def __init__(self, url: str, mxid: str, token: str) -> None:
        self.mxid = mxid
        self.client = nio.AsyncClient(url, mxid)
        self.client.access_token = token
        self.client.user_id = mxid
        self.client.device_id = "TEST"
        self._since: str | None = None
        self.names: dict[str, str] = {}
        self.invites: set[str] = set()

    async def look(self) -> None:
        answer = await self.client.sync(timeout=0, since=self._since, full_state=False)
        if not isinstance(answer, nio.SyncResponse):
            return
        self._since = answer.next_batch
        for room, invited in answer.rooms.invite.items():
            self.invites.add(room)
            for event in invited.invite_state:
                if isinstance(event, nio.InviteNameEvent):
                    self.names[room] = event.name
        for room, joined in answer.rooms.join.items():
            for event in [*joined.state, *joined.timeline.events]:
                if isinstance(event, nio.RoomNameEvent):
                    self.names[room] = event.name

    async def enter(self, name: str) -> str:
        """Join the room whose name begins so; returns its id."""

        async def found() -> str:
            await self.look()
            for room, called in self.names.items():
                if called.startswith(name):
                    return room
            return ""

        room = await until(found, f"{self.mxid} to see room {name!r}", 30)
        await self.join(room)
        return room

    async def walk_in(self, number: int, queue: str = "Support queue") -> str:
        """Enter a conversation by the link on its card, uninvited; returns the room's id."""
        found = await until(lambda: self.linked(number, queue), f"the card of #{number}", 60)
        await self.join(found)
        return str(found)

    async def linked(self, number: int, queue: str = "Support queue") -> str:
        """The room that a conversation's card leads to, empty while there is no card."""
        await self.look()
        where = next(room for room, name in self.names.items() if name == queue)

        for event in await self.messages(where):
            body = str(event["content"].get("body", ""))
            found = re.search(r"matrix\.to/#/(![^?]+)", body)
            if body.startswith(f"#{number} ") and found:
                return found[1]
        return ""

    async def join(self, room: str) -> None:
        await self.client.join(room)
        joined = await self.client.joined_rooms()
        assert room in joined.rooms, f"{self.mxid} cannot join {room}"

    async def say(self, room: str, text: str, **content: Any) -> str:
        return await self.send(room, {"msgtype": "m.text", "body": text, **content})

    async def send(self, room: str, content: dict[str, Any], type: str = "m.room.message") -> str:
        """Send an event; what a homeserver that just started answers with 5xx is sent again, under
        the same transaction id, as clients do."""
        txn = uuid.uuid4().hex

        async def sent() -> str:
            answer = await self.client.room_send(room, type, content, tx_id=txn)
            if isinstance(answer, nio.RoomSendResponse):
                return str(answer.event_id)
            assert answer.status_code == "M_UNKNOWN", f"{self.mxid}: {answer}"
            return ""

        return str(await until(sent, f"{self.mxid} to send {type}", 30))

    async def react(self, room: str, event: str, key: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event, "key": key}
        return await self.send(room, {"m.relates_to": relation}, "m.reaction")

    async def reply(self, room: str, event: str, text: str) -> str:
        relation = {"m.in_reply_to": {"event_id": event}}
        return await self.say(room, text, **{"m.relates_to": relation})

    async def edit(self, room: str, event: str, text: str) -> str:
        return await self.say(room, f"* {text}", **{
            "m.new_content": {"msgtype": "m.text", "body": text},
            "m.relates_to": {"rel_type": "m.replace", "event_id": event},
        })  # fmt: skip

    async def file(self, room: str, name: str, data: bytes, type: str) -> str:
        import io

        answer, _ = await self.client.upload(
            lambda *_: io.BytesIO(data), content_type=type, filename=name, filesize=len(data)
        )
        assert isinstance(answer, nio.UploadResponse), answer
        return await self.send(room, {
            "msgtype": "m.file", "body": name, "filename": name, "url": answer.content_uri,
            "info": {"mimetype": type, "size": len(data)},
        })  # fmt: skip

    async def messages(self, room: str) -> list[dict[str, Any]]:
        """The room's messages, oldest first, with edits applied."""
        answer = await self.client.room_messages(
            room, start="", direction=nio.MessageDirection.back, limit=1000
        )
        if not isinstance(answer, nio.RoomMessagesResponse):
            return []
        shown = []
        for event in reversed(answer.chunk):
            source = dict(event.source)
            edit = source.get("unsigned", {}).get("m.relations", {}).get("m.replace")
            if edit and "m.new_content" in edit.get("content", {}):
                relation = source["content"].get("m.relates_to")
                source["said_first"] = str(source["content"].get("body"))
                source["content"] = dict(edit["content"]["m.new_content"])
                if relation:  # an edit does not say what the first version replied to
                    source["content"]["m.relates_to"] = relation
            shown.append(source)
        return shown

    async def sees(self, room: str, text: str, timeout: float = 60.0) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            for event in await self.messages(room):
                relates = event["content"].get("m.relates_to", {})
                if (
                    text in str(event["content"].get("body", ""))
                    and relates.get("rel_type") != "m.replace"
                ):
                    return event
            return None

        return await until(found, f"{self.mxid} to see {text!r}", timeout)

    async def close(self) -> None:
        await self.client.close()


class Town:
    """Everything real, in one folder. The bridge runs in a process of its own."""

    def __init__(self, folder: Path, zygote: Zygote, database: str = "sqlite:postroom.db") -> None:
        self.folder, self._zygote, self.database = folder, zygote, database
        self.dovecot = DovecotServer(str(folder / "d"), BOXES)
        self.smtp = ScriptedSmtp(folder / "accepted.jsonl")
        self.agents: dict[str, Agent] = {}
        self.tokens: dict[str, str] = {}
        """Access tokens of other people, by name."""
        self.mas: FakeMas | None = None
        self.died = False
        """Whether the bridge died at a failpoint while it was to become well."""
        self.bridge: Bridge

    async def start(self, setting: Setting = PLAIN) -> None:
        """Start the servers, with a homeserver of a certain kind."""
        self.setting = setting
        (self.folder / "hs").mkdir(parents=True)
        self.folder.chmod(0o755)
        synapse = dict(setting.synapse)
        if setting.mas:
            self.mas = FakeMas(free_ports(1)[0])
            await self.mas.start()
            synapse |= self.mas.synapse
        hs, appservice, health = free_ports(3)
        self._ports = {"appservice": {"port": appservice}, "health": {"port": health}}
        registration = self.folder / "registration.yaml"
        registration.write_text(
            registration_text(DOMAIN, Listener(port=appservice), as_token="as", hs_token="hs")
        )
        python = SYNAPSE.absolute() / "bin" / "python"
        self.synapse = Synapse(
            self.folder / "hs", python, hs, server_name=DOMAIN, registrations=[registration],
            extra=synapse,
        )  # fmt: skip
        await asyncio.gather(self.synapse.start(), self.dovecot.start(), self.smtp.start())
        await self._log_in()
        if setting.people is not None:
            await setting.people(self)

    async def _log_in(self) -> None:
        for name in PEOPLE:
            token = await (
                self.mas.register(self.synapse.url, name)
                if self.mas
                else self.synapse.register(name, "secret")
            )
            self.agents[name] = Agent(self.synapse.url, f"@{name}:{DOMAIN}", token)

    async def move_to_mas(self) -> None:
        """Restart Synapse beside a Matrix Authentication Service, where everybody logs in anew."""
        await self.synapse.stop()
        for agent in self.agents.values():
            await agent.close()
        self.mas = FakeMas(free_ports(1)[0])
        await self.mas.start()
        self.synapse.configure(**self.mas.synapse)
        await self.synapse.start()
        await self._log_in()

    async def stop(self) -> None:
        for agent in self.agents.values():
            await agent.close()
        if hasattr(self, "bridge"):
            await self.bridge.kill()
        await self.smtp.stop()
        await self.dovecot.stop()
        await self.synapse.stop()
        if self.mas:
            await self.mas.stop()

    def inbox(self, name: str, **keys: Any) -> dict[str, Any]:
        address = f"{name}@acme.example"
        ca = self.dovecot.ca_file
        return {
            "name": name.capitalize(), "address": address, "undo": 0,
            "agents": [*(f"@{each}:{DOMAIN}" for each in ("alice", "bob")), *self.setting.agents],
            "imap": {"host": "127.0.0.1", "port": self.dovecot.imaps_port, "tls": "implicit",
                     "ca_file": ca, "user": address, "password": "secret"},
            "smtp": {"host": "127.0.0.1", "port": self.smtp.port, "tls": "none", "auth": "none"},
            **keys,
        }  # fmt: skip

    def config(self, **inboxes: dict[str, Any]) -> dict[str, Any]:
        return {
            "homeserver": {
                "url": self.synapse.url,
                "server_name": DOMAIN,
                **self.setting.bridge,
            },
            **self._ports,
            "database": self.database,
            "admins": [f"@admin:{DOMAIN}"],
            "log_level": "INFO",
            "inboxes": inboxes,
        }

    async def open(self, failpoint: str = "", **inboxes: dict[str, Any]) -> None:
        """Start the bridge, with support@ where no inbox is named; see `run`."""
        await self.run(self.config(**inboxes or {"support": self.inbox("support")}), failpoint)

    async def run(self, config: dict[str, Any], failpoint: str = "") -> None:
        """Start the bridge with a configuration and, if it can be so, wait until it is well. Where
        it dies at a failpoint before that, it is started again, and `died` is set."""
        self.bridge = self.configured(config)
        await self.bridge.start(failpoint)
        self.died = False
        while self.setting.is_well and not await self._well_or_dead():
            assert failpoint, self.bridge.log.read_text()[-3000:]
            await self.bridge.wait()
            await self.bridge.start()
            self.died = True

    def configured(self, config: dict[str, Any]) -> Bridge:
        """A bridge with its files written, and not started."""
        return Bridge(self._zygote, self.folder, config)

    async def healthy(self) -> None:
        assert await self._well_or_dead(), self.bridge.log.read_text()[-3000:]

    async def _well_or_dead(self) -> bool:
        """Wait until the bridge says that everything works; False where it ends before that."""
        import aiohttp

        async def known() -> str:
            if not self.bridge.is_alive():
                return "dead"
            try:
                async with aiohttp.ClientSession() as http, http.get(self.bridge.health) as answer:
                    return "well" if answer.status == 200 else ""
            except aiohttp.ClientError:
                return ""

        return bool(await until(known, "the bridge to be well", 30) == "well")

    async def deliver(
        self, box: str, raw: bytes, sender: str = "somebody@customer.example"
    ) -> None:
        """Mail arrives in a mailbox, by LMTP."""

        def lmtp() -> None:
            with smtplib.LMTP("127.0.0.1", self.dovecot.lmtp_port, timeout=20) as client:
                client.sendmail(sender, [box], raw)

        await asyncio.to_thread(lmtp)

    async def relay(self, recipients: list[str], raw: bytes) -> None:
        """As `smtp.relay`: what is sent to a mailbox of this town arrives there."""
        for spec in recipients:
            local, _, domain = spec.partition("@")
            if f"{local.partition('+')[0]}@{domain}" in self.dovecot.users:
                await self.deliver(spec, raw, sender=spec)

    async def mailbox(self, box: str, folder: str = "INBOX") -> list[bytes]:
        """Every mail of a folder, by Python's imaplib."""
        return await asyncio.to_thread(self._mailbox, box, folder)

    def _mailbox(self, box: str, folder: str) -> list[bytes]:
        client = imaplib.IMAP4("127.0.0.1", self.dovecot.imap_port)
        try:
            client.login(box, "secret")
            client.select(folder, readonly=True)
            numbers = client.search(None, "ALL")[1][0].split()
            return [client.fetch(n, "(RFC822)")[1][0][1] for n in numbers]  # type: ignore[index,misc]  # typeshed allows None
        finally:
            client.logout()

    def threads(self, box: str, folder: str = "INBOX") -> str:
        """Dovecot's THREAD REFS of a folder, as it wrote it."""
        client = imaplib.IMAP4("127.0.0.1", self.dovecot.imap_port)
        try:
            client.login(box, "secret")
            client.select(folder, readonly=True)
            return client.uid("THREAD", "REFS", "UTF-8", "ALL")[1][0].decode()
        finally:
            client.logout()

    async def sent(self, count: int, timeout: float = 60.0) -> list[EmailMessage]:
        await until(lambda: len(self.smtp.accepted()) >= count, f"{count} mails", timeout)
        parser = BytesParser(policy=default)
        return [parser.parsebytes(entry["raw"]) for entry in self.smtp.accepted()]

    async def jobs(self) -> list[tuple[str, str]]:
        """(kind, last error) of what is left to do."""
        return [
            (row["kind"], row["last_error"])
            for row in await rows(self.database, self.folder, "SELECT * FROM job")
        ]

    async def quiet(self, timeout: float) -> None:
        """Wait until everything that was asked for is done, but for the alarms of snoozes."""

        async def idle() -> bool:
            return all(kind == "wake" for kind, _ in await self.jobs())

        await until(idle, "all jobs to end", timeout)

    async def dump(self) -> str:
        return json.dumps(await self.jobs())
