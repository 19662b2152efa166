"""`make bench`: how long an agent waits for a list, a search or a history among 10,000
conversations; from the word said to the answer in the room."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bridge.model import (
    Address,
    InboxId,
    Letter,
    MailId,
    MessageId,
    Mxid,
    RoomId,
    SenderKind,
    State,
    Verdict,
)
from bridge.model.conversation import NewConversation
from tests import provision
from tests.servers.postgres import PostgresServer
from tests.stage import ALICE, BOB, Stage, mail, until
from tests.stories.test_order import answered

CONVERSATIONS, SAMPLES, BOUND = 10_000, 15, 300.0
"""How many; and milliseconds that the median of each question may take."""
WORDS = tuple(
    "display hinge battery refund invoice shipping parcel cable serial warranty button screen"  # noqa: SIM905 - words
    " colour order return broken delayed missing charger manual address update login".split()
)
QUESTIONS = (
    ("list", "queue", "!list open"), ("list by tag", "queue", "!list tag:t7"),
    ("list mine", "queue", "!list mine"), ("search one word", "queue", "!search refund"),
    ("search two words", "queue", "!search hinge parcel"),
    ("search a phrase", "queue", '!search "battery refund"'),
    ("search a number", "queue", "!search 9321"), ("history", "room", "!history"),
)  # fmt: skip


def words(number: int) -> str:
    """Some 60 words that differ from mail to mail."""
    return " ".join(WORDS[(number * (7 + n) + n * n) % len(WORDS)] for n in range(60))


async def fill(stage: Stage) -> None:
    """Conversations with one mail each, as years of work leave them."""
    inbox, now = InboxId("support"), time.time()
    states = (State.OPEN, State.ANSWERED, State.CLOSED, State.CLOSED, State.SNOOZED)
    for begin in range(0, CONVERSATIONS, 500):
        async with stage.app.database.transaction("settings") as tx:
            for number in range(begin, begin + 500):
                at = now - (CONVERSATIONS - number) * 60
                who = Address(f"c{number % 2000}@customer.example", f"Customer {number % 2000}")
                new = NewConversation(inbox, who, f"Case {number}", at, "…")
                about = await tx.conversations.create(new)
                state = states[number % len(states)]
                await tx.conversations.update(
                    about.number,
                    state=state,
                    room=RoomId(f"!r{number}"),
                    tags=(f"t{number % 50}",),
                    assignee=(Mxid(ALICE), Mxid(BOB), None)[number % 3],
                    waiting_since=at if state is State.OPEN else None,
                )
                letter = Letter(
                    MailId(0), inbox, about.number, False, MessageId(f"<b{number}@x>"), who, (),
                    (), (), f"Case {number}", (), SenderKind.PERSON, Verdict.NONE, (), at, None,
                )  # fmt: skip
                mail_id = await tx.mails.save(letter, "h", ())
                text = f"{words(number)} {number}"
                await tx.passages.add(about.number, str(who), at, text, mail=mail_id)


async def _agents(stage: Stage) -> bool:
    async with stage.app.database.reading() as tx:
        return len(await tx.rooms.agents(InboxId("support"))) == 2


async def measure(folder: Path, database: str) -> dict[str, float]:
    """Milliseconds, the median of each question."""
    stage = Stage(folder, database)
    await stage.start()
    try:
        await stage.open()
        queue = await stage.queue(ALICE, BOB)
        await until(lambda: _agents(stage), "both agents to be known")
        await stage.quiet()
        await fill(stage)
        await stage.mail(mail(sender="Customer 7 <c7@customer.example>"))
        room = await stage.conversation(CONVERSATIONS + 1)
        stage.hs.join(ALICE, room.id)
        await stage.quiet()
        found = {}
        for name, where, text in QUESTIONS:
            took = []
            for _ in range(SAMPLES):
                began = time.perf_counter()
                said = await answered(stage, queue if where == "queue" else room, ALICE, text)
                took.append((time.perf_counter() - began) * 1000)
                assert "#" in said, (text, said)
            found[name] = statistics.median(took)
        return found
    finally:
        await stage.close()
        await stage.stop()


async def main() -> int:
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        databases = {"SQLite": f"sqlite:{folder}/postroom.db"}
        server = PostgresServer() if provision.postgres() else None
        if server is not None:
            server.start()
            databases["PostgreSQL"] = server.create()
        try:
            for kind, url in databases.items():
                place = Path(folder) / kind
                place.mkdir()
                for name, took in (await measure(place, url)).items():
                    print(f"{kind}, {CONVERSATIONS} conversations, {name}: {took:.0f} ms")
                    worst = max(worst, took)
        finally:
            if server is not None:
                server.stop()
    if os.environ.get("CHECK") and worst > BOUND:
        print(f"over {BOUND:.0f} ms", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
