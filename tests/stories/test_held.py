"""A mail that its server does not give for long: told of, and shown in that room when it comes."""

from __future__ import annotations

import json
import time

from bridge.desk.inbound.accept import accept
from bridge.model import InboxId
from tests.stage import ALICE, CUSTOMER, SUPPORT, Stage, mail
from tests.stories.desk import begun

STUB_ID = "<held-0123456789@no-message-id.invalid>"
TOLD = "Mail 3 in folder INBOX could not be fetched"


async def taken(stage: Stage, key: str, raw: bytes, **note: str) -> None:
    """A mail as a folder's reader accepts it."""
    async with stage.app.database.transaction("accept") as tx:
        inbox = stage.app.desk.settings.inboxes[InboxId("support")]
        await accept(tx, [inbox], key, raw, json.dumps(note) if note else "", time.time())


async def test_it_takes_the_room_of_what_told_of_it(stage: Stage) -> None:
    await stage.open()
    queue = await stage.queue(ALICE)
    stub = mail(TOLD, sender=SUPPORT, subject="A mail that could not be fetched",
                message_id=STUB_ID)  # fmt: skip
    await taken(stage, "3:report", stub)
    room = await stage.conversation()
    await stage.sees(room, TOLD)
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "Nobody to send to")
    await taken(stage, "3", mail(), instead=STUB_ID)
    await stage.sees(room, "my display stays dark")
    await stage.sees(queue, f"#1 Carla Customer <{CUSTOMER}>\nDark display")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    assert stage.smtp.accepted()[-1]["to"] == [CUSTOMER]
    await stage.quiet()
    assert not [body for body in stage.hs.bodies(queue) if body.startswith("#2")]


async def test_one_that_belongs_elsewhere_goes_there(stage: Stage) -> None:
    room = await begun(stage)
    stub = mail(TOLD, sender=SUPPORT, subject="A mail that could not be fetched",
                message_id=STUB_ID)  # fmt: skip
    await taken(stage, "3:report", stub)
    await stage.conversation(2)
    later = mail("It still is dark.", message_id="<m2@customer.example>",
                 In_Reply_To="<m1@customer.example>")  # fmt: skip
    await taken(stage, "3", later, instead=STUB_ID)
    await stage.sees(room, "It still is dark.")


async def test_with_its_header_it_is_in_its_conversation_at_once(stage: Stage) -> None:
    room = await begun(stage)
    head = {"message_id": "<m2@customer.example>", "In_Reply_To": "<m1@customer.example>"}
    await taken(stage, "3:report", mail(TOLD, **head))
    await stage.sees(room, TOLD)
    await taken(stage, "3", mail("It still is dark.", **head), instead=STUB_ID)
    await stage.sees(room, "It still is dark.")
