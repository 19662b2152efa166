"""What leaves: exports, one person's everything, and what is over its days."""

from __future__ import annotations

import dataclasses
import mailbox
import time
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from bridge.desk.admin import erase, janitor
from bridge.model import Number
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, CUSTOMER, SALES, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, begun, control_room

DAY = 86400.0


async def file_of(stage: Stage, room: Room, name: str) -> bytes:
    told = await stage.sees(room, name)
    assert told["content"]["msgtype"] == "m.file", told
    return stage.hs.media[told["content"]["url"]]  # type: ignore[return-value]  # it was filled


def mails_in(folder: Path, data: bytes) -> list[Any]:
    """Every mail of an mbox, by Python's own reader."""
    path = folder / "export.mbox"
    path.write_bytes(data)
    box = mailbox.mbox(str(path))
    try:
        parser = BytesParser(policy=default)
        return [parser.parsebytes(box.get_bytes(key)) for key in box.keys()]  # noqa: SIM118 - a mailbox, no dict
    finally:
        box.close()


async def test_a_conversation_is_exported_with_its_files_both_ways(stage: Stage) -> None:
    raw = mail("Hello.\nFrom here on it is dark.\n>From there too.",
               files=(("photo.png", "image/png", b"PNG" * 50),))  # fmt: skip
    room = await begun(stage, raw)
    stage.hs.say(ALICE, room.id, "!reply Hello Carla")
    await stage.sees(room, "✅ sent")
    control = await control_room(stage)
    await ask(stage, control, "!export", "Say what: !export #12")
    await ask(stage, control, "!export 77", "There is no conversation #77 with mails.")
    await ask(stage, control, "!export nowhere", "There is no inbox nowhere")
    stage.hs.say(ADMIN, control.id, "!export #1")
    await stage.sees(control, "2 mails of conversation-1 exported.")
    first, second = mails_in(stage.folder, await file_of(stage, control, "conversation-1.mbox"))
    assert first["Message-ID"] == "<m1@customer.example>"
    (photo,) = first.iter_attachments()
    assert (photo.get_filename(), photo.get_content()) == ("photo.png", b"PNG" * 50)
    assert "From here on it is dark." in first.get_body().get_content()
    assert CUSTOMER in second["To"]
    stage.hs.say(ALICE, room.id, "!export")
    assert len(mails_in(stage.folder, await file_of(stage, room, "conversation-1.mbox"))) == 2


async def test_an_inbox_is_exported_in_parts_under_the_upload_limit(stage: Stage) -> None:
    await begun(stage)
    for number in (2, 3):
        await stage.mail(mail("x" * 3000, subject=f"Case {number}",
                              message_id=f"<m{number}@customer.example>"))  # fmt: skip
        await stage.conversation(number)
    stage.hs.upload_limit = 5000
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!export support")
    await stage.sees(control, "3 mails of support exported.")
    parts = [await file_of(stage, control, f"support-{n}.mbox") for n in (1, 2)]
    assert sum(len(mails_in(stage.folder, part)) for part in parts) == 3


def clear(event: dict[str, Any], words: tuple[str, ...]) -> bool:
    said = str(event["content"]) + str(event.get("state_key", "")) * (
        event["type"] != "m.room.member"
    )
    return not any(word in said for word in words)


async def test_a_person_is_erased_everywhere_and_the_record_names_nobody(stage: Stage) -> None:
    room = await begun(stage, mail(files=(("photo.png", "image/png", b"PNG"),)))
    await stage.mail(mail("Mine.", subject="Other case", sender="Dora <dora@else.example>",
                          message_id="<d1@else.example>", Cc=CUSTOMER))  # fmt: skip
    other = await stage.conversation(2)
    stage.hs.join(ALICE, other.id)
    stage.hs.say(ALICE, other.id, "!reply Hello both")
    asked = await stage.sees(other, f"{CUSTOMER} is new here")
    stage.hs.react(ALICE, other.id, asked["event_id"], "✅")
    await stage.sees(other, "✅ sent")
    await stage.mail(mail("I am a third party here.", message_id="<m5@customer.example>",
                          subject="Re: Other case", In_Reply_To="<d1@else.example>",
                          sender=f"Carla Customer <{CUSTOMER}>"))  # fmt: skip
    await stage.sees(other, "third party here")
    stage.hs.say(ALICE, room.id, "!reply Hello Carla")
    stage.hs.say(ALICE, room.id, "Carla Customer rang me up")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    queue, control = await stage.room("Support queue"), await control_room(stage)
    await ask(stage, control, "!erase nobody", "Say which address: !erase carla@example.com")
    await ask(stage, control, "!erase x@y.example", "Nothing is known of that address")
    await ask(stage, control, f"!erase {CUSTOMER}", f"Erase {CUSTOMER}?", "What stays:",
                      "1 conversation (#1) and 1 mail in conversations of others or",
                      "@email_carla=40customer.example:fake.local", "!yes erases")  # fmt: skip
    await ask(stage, control, "!yes", "Erased: ", "names no address")
    await until(lambda: room.membership(ALICE) == "leave", "the room without agents")
    await until(lambda: room.membership(stage.app.desk.bot) == "leave", "the room without the bot")
    await stage.quiet()
    words = (CUSTOMER, "Carla", "Dark display", "my display", "photo.png")
    for each in (room, queue, control):
        left = [event for event in each.events if not clear(event, words)]
        assert not left, [event["content"] for event in left]
    assert not any(
        "third party here" in str(event["content"]) for event in stage.hs.events_of(CUSTOMER)
    )
    assert "Mine." in str(stage.hs.bodies(other))
    # mails of others that name her stay, and what was sent to them
    for table in ("conversation", "participant", "event", "audit", "setting", "override", "pin"):
        found = str(await rows(stage.database, stage.folder, f"SELECT * FROM {table}"))
        assert CUSTOMER not in found, (table, found)
        assert "Dark display" not in found, table
    senders = await rows(stage.database, stage.folder, "SELECT sender FROM mail")
    assert CUSTOMER not in str(senders)
    raws = await rows(stage.database, stage.folder, "SELECT bytes FROM raw")
    assert not any(b"my display" in bytes(row["bytes"]) for row in raws)
    assert not any(b"third party" in bytes(row["bytes"]) for row in raws)
    await ask(stage, control, "!audit", "erased an address (sha256 ")
    answered = str((await stage.sent())[-1]["Message-ID"])
    await stage.mail(mail("New after it.", message_id="<m7@customer.example>",
                          In_Reply_To=answered))  # fmt: skip
    await stage.sees(await stage.conversation(3), "New after it.")
    stage.hs.say(ALICE, queue.id, "!take 1")
    await stage.sees(queue, "There is no #1 in Support.")


async def test_old_bytes_go_and_what_rooms_show_stays(stage: Stage) -> None:
    config = stage.config()
    config["retention"] = {"raw_mail": 30}
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    await stage.quiet()
    assert await janitor.clean(stage.app.desk) == 0
    later = dataclasses.replace(stage.app.desk, now=lambda: time.time() + 31 * DAY)
    assert await janitor.clean(later) == 1
    assert await janitor.clean(later) == 0
    (kept,) = await rows(stage.database, stage.folder, "SELECT * FROM raw")
    assert bytes(kept["bytes"]) == b""
    assert "my display stays dark" in str(stage.hs.bodies(room))
    control = await control_room(stage)
    stage.hs.say(ADMIN, control.id, "!export #1")
    await stage.sees(control, "Left out: 1 mail whose bytes are not kept any more")
    await stage.mail(mail())  # the same again: known, though its bytes are gone
    await stage.mail(mail(message_id="<m2@customer.example>", subject="Second"))
    await stage.conversation(2)


async def test_conversations_closed_long_ago_are_emptied_and_do_not_come_back(
    stage: Stage,
) -> None:
    config = stage.config()
    config["retention"] = {"closed": 90}
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!close")
    await stage.sees(room, "Closed.")
    await stage.quiet()
    await janitor.clean(dataclasses.replace(stage.app.desk, now=lambda: time.time() + 89 * DAY))
    await stage.quiet()
    assert "my display stays dark" in str(stage.hs.bodies(room))
    later = dataclasses.replace(stage.app.desk, now=lambda: time.time() + 91 * DAY)
    assert await janitor.clean(later) == 1  # so that it is called again at once for the next batch
    await stage.quiet()
    assert await janitor.clean(later) == 0
    assert room.membership(ALICE) == "leave"
    assert all(clear(event, (CUSTOMER, "display")) for event in room.events)
    await stage.mail(mail())  # known by its id and hash
    await stage.mail(mail(message_id="<m2@customer.example>", subject="Second"))
    await stage.conversation(2)


async def test_bytes_that_two_inboxes_share_go_with_the_last_of_them(stage: Stage) -> None:
    config = stage.config(default=True)
    sales = {**config["inboxes"]["support"], "name": "Sales", "address": SALES, "default": False}
    config["inboxes"]["sales"] = sales
    await stage.open(config)
    await stage.mail(mail(to=f"{SUPPORT}, {SALES}"))
    for number in (1, 2):
        await stage.sees(await stage.conversation(number), "my display stays dark")
    await stage.quiet()
    for number, left in ((1, 1), (2, 0)):
        async with stage.app.database.transaction("settings") as tx:
            await erase.order_purge(tx, stage.app.desk, Number(number), ids=False)
        await stage.quiet()
        kept = await rows(stage.database, stage.folder, "SELECT bytes FROM raw")
        assert sum(bool(bytes(row["bytes"])) for row in kept) == left


async def test_a_conversation_opened_before_its_purge_stays(stage: Stage) -> None:
    room = await begun(stage)
    async with stage.app.database.transaction("settings") as tx:
        await erase.order_purge(tx, stage.app.desk, Number(1), ids=True)
    await stage.quiet()
    assert room.membership(ALICE) == "join"
    stage.hs.say(ALICE, room.id, "!reply It goes on")
    await stage.sent()


async def test_a_mail_whose_bytes_were_forgotten_comes_back_whole_or_not_at_all(
    stage: Stage,
) -> None:
    config = stage.config()
    config["retention"] = {"raw_mail": 30}
    await stage.open(config)
    raw = mail()
    await stage.mail(raw)
    await stage.conversation()
    await stage.quiet()
    later = dataclasses.replace(stage.app.desk, now=lambda: time.time() + 31 * DAY)
    assert await janitor.clean(later) == 1
    await stage.mail(raw)  # known, by its id and hash
    await stage.mail(b"Received: by another.example\r\n" + raw)
    await stage.mail(mail(message_id="<m2@customer.example>", subject="Second"))
    await stage.conversation(2)
    await stage.quiet()
    kept = await rows(stage.database, stage.folder, "SELECT bytes FROM raw")
    assert not any(b"another.example" in bytes(row["bytes"]) for row in kept)
    assert len([name for name in stage.hs.rooms.values() if "#3" in str(name.state)]) == 0
