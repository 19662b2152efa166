"""Whoever is erased is gone from all that was made of their mail, in every room and table."""

from __future__ import annotations

import asyncio

from bridge.demo.ports import free_ports
from bridge.desk.triage.remind import remind
from tests.servers.database import rows
from tests.servers.matrix_state import Refusal
from tests.stage import ALICE, CUSTOMER, SALES, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered
from tests.stories.test_relocate import second, two_inboxes
from tests.stories.test_rules import listening, opened

DORA = "dora@customer.example"
TABLES = ("conversation", "participant", "post", "mail", "event", "passage", "contact",
          "contact_address", "override", "job", "recipient", "file")  # fmt: skip


async def erased(stage: Stage, spec: str) -> None:
    control = await control_room(stage)
    await ask(stage, control, f"!erase {spec}", "!yes erases")
    await ask(stage, control, "!yes", "Erased")
    await stage.quiet()


async def left(stage: Stage, *words: str) -> list[str]:
    """Where the words still stand; what an agent looked for is their own word."""
    found = []
    for room in stage.hs.rooms.values():
        for event in room.events:
            content = dict(event["content"])
            if str(content.get("body", "")).startswith(("!search", "!erase")):
                continue
            found += [f"{event['type']} {content}" for word in words if word in str(content)]
    for table in TABLES:
        for row in await rows(stage.database, stage.folder, f"SELECT * FROM {table}"):
            found += [f"{table} {row}" for word in words if word in str(row)]
    return [each[:300] for each in found]


async def test_what_rules_and_reminders_told(stage: Stage) -> None:
    heard: list[bytes] = []
    (port,) = free_ports(1)
    runner = await listening(port, 500, heard)  # so the hook is to be called again
    try:
        then = {"notify": True, "webhook": f"http://127.0.0.1:{port}/a"}
        rule = {"name": "inv", "when": {}, "then": then}
        await opened(stage, rule, secret="s3cret", answer_within=1)
        await stage.mail(mail("Hello", subject="Zebra affair"))
        queue = await stage.queue()
        await stage.sees(queue, "🔔 inv: #1 Zebra affair")
        async with stage.app.database.transaction("told") as tx:
            await tx.conversations.update(1, waiting_since=stage.app.desk.now() - 90_000)
        await remind(stage.app.desk)
        await stage.sees(queue, "⏰ #1 Zebra affair")
        await erased(stage, CUSTOMER)  # while the hook waits for its next try
    finally:
        await runner.cleanup()
    assert await left(stage, "Zebra", "Carla", CUSTOMER) == []


async def test_hits_of_a_search_for_a_third_person(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    await stage.mail(mail("Dora here, xylophone", sender=f"Dora <{DORA}>",
                          message_id="<d1@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Dora here")
    assert "1 hit" in await answered(stage, queue, ALICE, "!search xylo")
    await stage.quiet()
    await erased(stage, DORA)
    assert await left(stage, "xylophone", DORA) == []


async def test_a_conversation_that_we_began(stage: Stage) -> None:
    await stage.open(undo=1)
    queue = await stage.queue(ALICE)
    command = stage.hs.say(ALICE, queue.id, f"!compose {DORA} Offer\nxylophone price")
    room = await stage.conversation()
    await stage.sees(room, "❌ stops it")
    stage.hs.edit(ALICE, queue.id, command, f"!compose {DORA} Offer\nxylophone prices")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    await erased(stage, DORA)
    assert await left(stage, "xylophone", DORA) == []


async def test_a_conversation_that_was_moved(stage: Stage) -> None:
    room = await two_inboxes(stage)
    await answered(stage, room, ALICE, f"!move {SALES}")
    await stage.sees(await stage.room("Support queue"), "➡️ moved to Sales")
    await stage.quiet()
    await erased(stage, CUSTOMER)
    assert await left(stage, "Dark display", CUSTOMER) == []


async def test_a_conversation_that_was_merged_into_somebody_elses(stage: Stage) -> None:
    await begun(stage)
    room = await second(stage, sender=f"Dora <{DORA}>", subject="Zebra")
    stage.hs.say(ALICE, room.id, "!reply Dear Dora, xylophone")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    await answered(stage, room, ALICE, "!merge 1")
    await stage.quiet()
    await erased(stage, DORA)
    assert await left(stage, "xylophone", DORA, "Zebra") == []
    assert any("Hello, my display" in str(room.events) for room in stage.hs.rooms.values())


async def test_a_file_that_is_being_uploaded_meanwhile(stage: Stage) -> None:
    """The homeserver fails with it only when its conversation is gone."""
    release, fill = asyncio.Event(), stage.hs._fill
    begun_to: list[str] = []

    async def held(mxc: str, data: bytes, type: str) -> object:
        if type != "application/pdf":
            return fill(mxc, data, type)
        begun_to.append(mxc)
        await release.wait()
        raise Refusal(500, "M_UNKNOWN", "the media repository is away")

    stage.hs._fill = held  # type: ignore[method-assign]  # a media repository that is away
    files = (("zebra.pdf", "application/pdf", b"x" * 3_000_000),)
    await begun(stage, mail(files=files))
    await until(lambda: begun_to, "the upload to begin")
    control = await control_room(stage)
    await ask(stage, control, f"!erase {CUSTOMER}", "!yes erases")
    await ask(stage, control, "!yes", "Erased")
    await until(lambda: _is_erased(stage), "the conversation to be erased")
    stage.hs._fill = fill  # type: ignore[method-assign]  # it is back
    release.set()
    await stage.quiet()
    assert await left(stage, "zebra") == []


async def _is_erased(stage: Stage) -> bool:
    found = await rows(stage.database, stage.folder, "SELECT subject FROM conversation")
    return [row["subject"] for row in found] == ["erased"]
