"""`make bench`: the bridge against a raw client, on the same Synapse, in one run.

Absolute times differ by machine; the ratios are what counts. Writes bench/results.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nio

from bench import reading
from bench.raw_client import RawClient
from bridge.chat.new_room import FirstMembers, NewRooms
from bridge.config.load import load
from bridge.demo.synapse import VERSION
from bridge.desk.inbound.accept import accept
from bridge.imap.connection import ImapConnection
from bridge.store.database import Database
from tests.real import DOMAIN, Town
from tests.stage import mail, until

RESULTS = Path(__file__).parent / "results.md"
ROUNDS, FOLLOW_UPS, CONVERSATIONS, PARALLEL, SAMPLES = 3, 160, 40, 8, 15
SUPPORT = "support@acme.example"
samples: dict[str, list[float]] = {}


class Process:
    """The bridge as `postroom run` starts it."""

    def __init__(self, config: Path) -> None:
        self._config = config

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", "run", "-c", str(self._config),
            stderr=(self._config.parent / "bridge.log").open("ab"),
        )  # fmt: skip

    async def stop(self) -> None:
        self._process.terminate()
        await asyncio.wait_for(self._process.wait(), 10)

    @property
    def resident(self) -> float:
        """MB of memory."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1000

    @property
    def proportional(self) -> float:
        """MB of memory with the process that reads mail and its children; what they share counts
        once."""
        pids, total = [self._process.pid], 0
        while pids:
            folder = Path(f"/proc/{(pid := pids.pop())}")
            text = (folder / "smaps_rollup").read_text()
            total += int(text.partition("\nPss:")[2].split()[0])
            pids += map(int, (folder / f"task/{pid}/children").read_text().split())
        return total / 1000

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def note(name: str, value: float) -> float:
    samples.setdefault(name, []).append(value)
    print(f"{name}: {value:.1f}", flush=True)
    return value


async def rate(work: Callable[[int], Awaitable[Any]], count: int, parallel: int) -> float:
    """Pieces of work per second."""
    numbers = iter(range(count))

    async def one() -> None:
        for number in numbers:
            await work(number)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(parallel)))
    return count / (time.perf_counter() - began)


class Bench:
    def __init__(self, town: Town, config: Path) -> None:
        self.town, self.config = town, config
        self.process = Process(config)
        self.raw = RawClient(town.synapse.url, "as")
        self.made = 0
        self.alice = town.agents["alice"]

    def database(self) -> Path:
        return self.town.folder / "postroom.db"

    def sql(self, query: str) -> list[Any]:
        import contextlib
        import sqlite3

        with contextlib.closing(sqlite3.connect(self.database())) as db:
            return list(db.execute(query))

    async def idle(self, mails: int) -> None:
        """Until every mail is in its room and no job is left."""

        def done() -> bool:
            posted = self.sql("SELECT COUNT(*) FROM post WHERE key LIKE 'mail:%' AND sent > 0")
            return posted[0][0] >= mails and not self.sql("SELECT id FROM job LIMIT 1")

        await until(done, f"{mails} mails to be posted", 90)

    def letters(self, count: int, *, fresh: bool) -> list[bytes]:
        """Mails of `PARALLEL` known conversations, or each of a new contact."""
        found = []
        for number in range(count):
            self.made += 1
            who = f"new{self.made}" if fresh else f"known{number % PARALLEL}"
            headers: dict[str, Any] = {} if fresh else {"In_Reply_To": f"<{who}@bench.example>"}
            found.append(mail(
                "Hello,\n\nthis is a mail of some lines.\n\nKind regards\n" * 3,
                sender=f"{who} <{who}@bench.example>", subject=f"Case of {who}",
                message_id=f"<{self.made}@bench.example>" if number >= 0 else "", **headers,
            ))  # fmt: skip
        return found

    async def posted(self, before: int, count: int) -> float:
        """Mails per second from the first one's event, by the homeserver's clock, to the moment
        nothing is left to do: cards, reactions and lists included."""
        await self.idle(before + count)
        ended = time.time()
        keys = self.sql(
            f"SELECT event, place FROM post WHERE key LIKE 'mail:%' ORDER BY id DESC LIMIT {count}"
        )
        places = dict(self.sql("SELECT number, room FROM conversation"))
        times = []
        for event, place in keys:
            room = places[int(place.partition(":")[2])]
            answer = await self.raw.call(
                "GET", f"/_matrix/client/v3/rooms/{room}/event/{event}", None
            )
            times.append(float(answer["origin_server_ts"]) / 1000)
        return count / (ended - min(times))

    async def from_store(self, raws: list[bytes]) -> float:
        """Accepted while the bridge is down, then worked off."""
        await self.process.stop()
        before = self.sql("SELECT COUNT(*) FROM mail WHERE NOT outbound")[0][0]
        settings = load(self.config, make_key=True)
        database = await Database.open(settings.database)
        inbox = settings.inboxes["support"]  # type: ignore[index]  # InboxId is a str
        for number, raw in enumerate(raws):
            async with database.transaction("accept") as tx:
                await accept(tx, [inbox], f"bench:{self.made}:{number}", raw, "", time.time())
        await database.close()
        await self.process.start()
        return await self.posted(before, len(raws))

    async def from_imap(self, raws: list[bytes]) -> float:
        """Delivered while the bridge is down, then fetched and worked off."""
        await self.process.stop()
        before = self.sql("SELECT COUNT(*) FROM mail WHERE NOT outbound")[0][0]
        for raw in raws:
            await self.town.deliver(SUPPORT, raw)
        await self.process.start()
        return await self.posted(before, len(raws))


async def throughput(bench: Bench) -> None:
    """Raw client and bridge in turns."""
    queue = bench.sql("SELECT room FROM room WHERE role = 'queue'")[0][0]
    space = bench.sql("SELECT room FROM room WHERE role = 'space'")[0][0]
    example = json.loads(bench.sql("SELECT content FROM post WHERE key LIKE 'mail:%'")[0][0])
    inbox = load(bench.config).inboxes["support"]  # type: ignore[index]  # InboxId is a str
    about = await _conversation(bench)
    rooms = NewRooms("12", f"@email_bot:{DOMAIN}", DOMAIN, "!")
    first = FirstMembers("", f"mxc://{DOMAIN}/face", [])
    body = rooms.conversation(about, inbox, "", first, queue, space)
    for _ in range(ROUNDS):

        async def new(_: int) -> Any:
            return await bench.raw.conversation(body, queue, space, example)

        mine = [await new(0) for _ in range(PARALLEL)]

        async def follow(number: int, mine: Any = mine) -> None:
            room, ghost = mine[number % PARALLEL]
            await bench.raw.follow_up(room, ghost, example)

        note("raw follow-up, one after the other /s", await rate(follow, FOLLOW_UPS // 2, 1))
        note("raw follow-up, 8 at once /s", await rate(follow, FOLLOW_UPS, PARALLEL))
        note("bridge follow-up from the store /s",
             await bench.from_store(bench.letters(FOLLOW_UPS, fresh=False)))  # fmt: skip
        note("bridge follow-up from IMAP /s",
             await bench.from_imap(bench.letters(FOLLOW_UPS, fresh=False)))  # fmt: skip
        note("raw new conversation, one after the other /s", await rate(new, CONVERSATIONS // 2, 1))
        note("raw new conversation, 8 at once /s", await rate(new, CONVERSATIONS, PARALLEL))
        note("bridge new conversation from the store /s",
             await bench.from_store(bench.letters(CONVERSATIONS, fresh=True)))  # fmt: skip
        note("bridge new conversation from IMAP /s",
             await bench.from_imap(bench.letters(CONVERSATIONS, fresh=True)))  # fmt: skip


async def _conversation(bench: Bench) -> Any:
    from bridge.model import Address, Conversation, InboxId, Number, State

    return Conversation(
        Number(1), InboxId("support"), Address("a@bench.example", "A"), "A case", State.OPEN,
        0.0, 0.0, 0.0,
    )  # fmt: skip


async def latencies(bench: Bench) -> None:
    """APPEND to the agent's /sync, and 📧 to acceptance, one after the other."""
    room = bench.sql("SELECT room FROM conversation WHERE number = 1")[0][0]
    await bench.alice.join(room)
    client = bench.alice.client
    since = (await client.sync(timeout=0)).next_batch
    town = bench.town
    writer = await ImapConnection.connect("127.0.0.1", town.dovecot.imap_port, "none")
    await writer.login(SUPPORT, "secret")
    idler = await ImapConnection.connect("127.0.0.1", town.dovecot.imap_port, "none")
    await idler.login(SUPPORT, "secret")
    await idler.select("INBOX")
    for _ in range(SAMPLES):
        await idler.search("ALL")
        waiting = asyncio.create_task(idler.idle(20))
        await asyncio.sleep(0.3)
        (raw,) = bench.letters(1, fresh=False)
        began = time.perf_counter()
        await writer.append("INBOX", raw)
        waiting.add_done_callback(
            lambda _, began=began: note("IDLE alone, by a raw client ms", _ms(began))  # type: ignore[misc]  # mypy cannot infer a default
        )
        seen = False
        while not seen:
            answer = await client.sync(timeout=10_000, since=since)
            assert isinstance(answer, nio.SyncResponse)
            since = answer.next_batch
            joined = answer.rooms.join.get(room)
            seen = joined is not None and any(
                e.sender.startswith("@email_known0") for e in joined.timeline.events
            )
        note("APPEND to /sync ms", _ms(began))
        await waiting
    for number in range(SAMPLES):
        event = await bench.alice.say(room, f"An answer, number {number}.")
        before = len(town.smtp.accepted())
        began = time.perf_counter()
        await bench.alice.react(room, event, "📧")
        while len(town.smtp.accepted()) == before:
            await asyncio.sleep(0.002)
        note("📧 to SMTP acceptance ms", _ms(began))
    await writer.close()
    await idler.close()


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def median(name: str) -> float:
    return statistics.median(samples[name])


def report() -> str:
    pairs = [
        ("follow-up", "bridge follow-up from the store /s", "raw follow-up, 8 at once /s"),
        ("follow-up, from IMAP", "bridge follow-up from IMAP /s", "raw follow-up, 8 at once /s"),
        ("new conversation", "bridge new conversation from the store /s",
         "raw new conversation, 8 at once /s"),
        ("new conversation, from IMAP", "bridge new conversation from IMAP /s",
         "raw new conversation, 8 at once /s"),
    ]  # fmt: skip
    lines = ["# Results", "", "Made by `make bench`; medians, one run on one machine.", ""]
    lines += ["| work | bridge ÷ raw client (aim 0.7) |", "|---|---|"]
    lines += [f"| {name} | {median(ours) / median(raw):.2f} |" for name, ours, raw in pairs]
    sync, idle = median("APPEND to /sync ms"), median("IDLE alone, by a raw client ms")
    lines += [
        "",
        f"APPEND (Dovecot) to the agent's /sync: median {sync:.0f} ms (aim 150), of which"
        f" {idle:.0f} ms pass before Dovecot tells any IDLE client of the mail: it collects changes"
        f" for half a second. The bridge and Synapse take the other {max(0, sync - idle):.0f} ms.",
        "",
        "Where the time goes: a new conversation is eight requests, and Synapse's createRoom"
        " decides it. A follow-up is one request; beside it the bridge parses and places the"
        " mail in a child process and commits twice (lease, posted), and its part of three commits"
        " for several mails (accept, lease, receive), on cores that it shares with Synapse.",
        "",
        "## Raw samples",
        "",
        "| what | median | samples |",
        "|---|---|---|",
    ]
    for name, values in samples.items():
        shown = " ".join(f"{value:.1f}" for value in values)
        lines.append(f"| {name} | {statistics.median(values):.1f} | {shown} |")
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("postroom", "mautrix", "aiohttp", "aioimaplib",
                                               "aiosmtplib", "aiosqlite")
    )  # fmt: skip
    on = f"Python {platform.python_version()}, Synapse {VERSION} on SQLite"
    lines += ["", reading.through_children(), "", f"{on}, {versions}, {os.cpu_count()} cores."]
    return "\n".join(lines) + "\n"


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="bench"))
    town = Town(folder, None)  # type: ignore[arg-type]  # the bridge is a process of its own here
    bench: Bench | None = None
    try:
        await town.start()
        imap = {**town.inbox("support")["imap"], "since": "2020-01-01"}
        config = folder / "config.yaml"
        settings = town.config(support=town.inbox("support", imap=imap))
        settings["limits"] = {"rooms_per_inbox": 1_000_000}
        config.write_text(json.dumps(settings))
        bench = Bench(town, config)
        await bench.process.start()
        queue = await bench.alice.enter("Support queue")
        assert queue
        for number in range(PARALLEL):
            who = f"known{number}"
            await town.deliver(SUPPORT, mail(
                "First", sender=f"{who} <{who}@bench.example>", subject=f"Case of {who}",
                message_id=f"<{who}@bench.example>",
            ))  # fmt: skip
        await bench.idle(PARALLEL)
        note("resident MB, at rest", bench.process.resident)
        note("MB with the process that reads mail, at rest", bench.process.proportional)
        await latencies(bench)
        await throughput(bench)
        note("resident MB, after all", bench.process.resident)
        text = report()
        RESULTS.write_text(text)
        print(text)
    finally:
        if bench is not None:
            await bench.process.stop()
            await bench.raw.close()
        await town.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
