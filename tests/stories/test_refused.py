"""What a homeserver refuses or cannot do stops nothing that does not need it, and is told once."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bridge.matrix.ghosts import DEVICE
from bridge.model import InboxId, Mxid
from tests.servers.matrix_state import DOMAIN, Room
from tests.stage import ALICE, BOB, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered

GHOST = f"@email_carla=40customer.example:{DOMAIN}"
BOT = f"@email_bot:{DOMAIN}"
DECORATIONS = {
    "m.room.name": "names of rooms",
    "m.room.topic": "topics of rooms",
    "m.room.avatar": "pictures of rooms",
    "m.room.pinned_events": "pinned messages",
    "m.space.child": "the list of rooms in a space",
    "m.reaction": "reactions",
    "picture": "pictures of people in rooms",
}


async def main_story(stage: Stage) -> Room:
    """A mail, a reply, and an answer that changes what the room shows."""
    room = await begun(stage, mail(files=(("p.txt", "text/plain", b"Notes"),)))
    await until(lambda: any(e["content"].get("filename") == "p.txt"
                            for e in stage.hs.messages(room)), "the file")  # fmt: skip
    stage.hs.say(ALICE, room.id, "!reply Please press the button.")
    (sent,) = await stage.sent()
    await stage.mail(mail("It lights up.", message_id="<m2@customer.example>",
                          In_Reply_To=str(sent["Message-ID"]), subject="Re: Lamp"))  # fmt: skip
    await stage.sees(room, "It lights up.")
    await answered(stage, room, ALICE, "!subject Broken display")
    await answered(stage, room, ALICE, "!close")
    await stage.quiet()
    return room


@pytest.mark.parametrize("what", DECORATIONS)
async def test_a_refused_decoration_is_told_once_and_stops_nothing(stage: Stage, what: str) -> None:
    stage.hs.refuses.add(what)
    await main_story(stage)
    control = await control_room(stage)
    await stage.sees(control, "refuses")
    told = [each for each in stage.hs.bodies(control) if "refuses" in each]
    assert len(told) == 1, stage.hs.bodies(control)
    assert f"The homeserver refuses {DECORATIONS[what]}: {what} is refused here" in told[0]
    assert "failed permanently: 0" in await ask(stage, control, "!status")


async def test_an_invitation_that_is_refused_is_told_once_and_tried_again(stage: Stage) -> None:
    stage.hs.refuses.add(f"invite {BOB}")
    await main_story(stage)
    control = await control_room(stage)
    for room in ("queue room", "space"):
        await stage.sees(control, f"cannot be invited into the {room}")
    told = [each for each in stage.hs.bodies(control) if "cannot be invited" in each]
    assert sorted(each.partition(") ")[2].partition(":")[0] for each in told) == [
        "cannot be invited into the queue room of Support",
        "cannot be invited into the space of Support",
    ]
    await stage.close()
    stage.hs.refuses.clear()
    await stage.open()
    await stage.queue(BOB)


async def test_an_invitation_that_is_refused_ends_with_agent_remove(stage: Stage) -> None:
    stage.hs.refuses.add(f"invite {BOB}")
    await stage.open()
    control = await control_room(stage)
    await stage.sees(control, f"Bob ({BOB}) cannot be invited into the queue room")
    await ask(stage, control, f"!agent remove {BOB}", "is not invited to Support any more")
    await stage.quiet()
    await stage.close()
    stage.hs.refuses.clear()
    await stage.open(agents=[ALICE])
    queue = await stage.queue(ALICE)
    await stage.quiet()
    assert queue.membership(BOB) == ""


async def test_a_ghost_that_cannot_join_is_spoken_for_by_the_bot(stage: Stage) -> None:
    stage.hs.refuses |= {f"join {GHOST}"}
    room = await main_story(stage)
    shown = [e for e in stage.hs.messages(room) if "my display stays dark" in e["content"]["body"]]
    assert [each["sender"] for each in shown] == [BOT]
    assert shown[0]["content"]["body"].startswith("Carla Customer (carla@customer.example):\n")
    file = next(e for e in stage.hs.messages(room) if e["content"].get("filename") == "p.txt")
    assert (file["sender"], file["content"]["msgtype"]) == (BOT, "m.file")
    stage.hs.say(ALICE, room.id, "!reopen")
    stage.hs.reply(ALICE, room.id, shown[0]["event_id"], "!reply To the first one.")
    sent = await stage.sent(2)
    assert sent[-1]["In-Reply-To"] == "<m1@customer.example>"


async def test_nobody_is_invited_where_only_the_ghost_may_not_be(stage: Stage) -> None:
    stage.hs.refuses |= {f"invite {GHOST}"}
    room = await main_story(stage)
    assert any("my display stays dark" in body for body in stage.hs.bodies(room))


@pytest.mark.parametrize("code", ["M_UNKNOWN_DEVICE", "M_INVALID_PARAM", "M_FORBIDDEN"])
async def test_a_device_that_is_gone_is_made_again(stage: Stage, code: str) -> None:
    """M_INVALID_PARAM says tuwunel, M_FORBIDDEN continuwuity."""
    stage.hs.unknown_device = code
    room = await main_story(stage)
    for devices in stage.hs.devices.values():
        devices.clear()
    stage.hs.say(ALICE, room.id, "!info")
    await stage.sees(room, "State: closed")
    await stage.mail(mail("Dark again.", message_id="<m3@customer.example>",
                          In_Reply_To="<m2@customer.example>"))  # fmt: skip
    await stage.sees(room, "Dark again.")
    assert DEVICE in stage.hs.devices[GHOST]


async def test_without_devices_and_reserved_addresses_nothing_is_missing(stage: Stage) -> None:
    """Dendrite has neither, continuwuity lacks the addresses."""
    stage.hs.makes_devices = stage.hs.reserves_media = False
    await main_story(stage)


async def test_a_new_ghost_has_its_name_outside_of_rooms(stage: Stage) -> None:
    await begun(stage)
    assert stage.hs.profiles[GHOST]["displayname"] == "Carla Customer (carla@customer.example)"


async def test_previews_of_links_are_off_in_every_room(stage: Stage) -> None:
    await begun(stage)
    for room in stage.hs.rooms.values():
        assert room.state["org.matrix.room.preview_urls", ""]["content"] == {"disable": True}


async def health(stage: Stage) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{stage.health['port']}/health"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.json()


async def test_health_is_not_green_while_something_is_refused(stage: Stage) -> None:
    await begun(stage)
    await stage.quiet()

    async def well() -> bool:
        return (await health(stage))[0] == 200

    await until(well, "everything to work")
    stage.hs.fail_media = 10**6
    await stage.mail(mail(sender="Dora <dora@customer.example>", message_id="<d@customer.example>",
                          files=(("p.txt", "text/plain", b"Notes"),)))  # fmt: skip

    async def red() -> bool:
        status, parts = await health(stage)
        return status == 503 and parts["media"] != "ok"

    await until(red, "the media repository to be missed")
    stage.hs.fail_media = 0
    await until(well, "everything to work again")


async def test_health_is_not_green_until_a_lost_room_is_made_anew(stage: Stage) -> None:
    room = await main_story(stage)

    async def says(text: str) -> bool:
        return text in str(await health(stage))

    await until(lambda: says("'work': 'ok'"), "everything to work")
    lose(stage, room)
    stage.hs.fail_rooms_before_alias = 10**6
    await stage.mail(mail("And dark again.", message_id="<m3@customer.example>",
                          In_Reply_To="<m2@customer.example>"))  # fmt: skip
    await until(lambda: says("making a lost room anew"), "the lost room to be missed")
    assert (await health(stage))[0] == 503
    stage.hs.fail_rooms_before_alias = 0
    anew = await stage.conversation()
    await stage.sees(anew, "And dark again.")
    await until(lambda: says("'rooms': 'ok'"), "everything to work again")
    bodies = "\n".join(stage.hs.bodies(anew))
    assert "lost the room" in bodies
    assert bodies.index("my display stays dark") < bodies.index("↗ sent") < bodies.index("lights")


def lose(stage: Stage, room: Room) -> None:
    """The homeserver does not have a room any more."""
    del stage.hs.rooms[room.id]
    stage.hs.aliases = {name: each for name, each in stage.hs.aliases.items() if each != room.id}


async def test_who_is_to_leave_a_lost_queue_room_is_not_invited_into_the_new_one(
    stage: Stage,
) -> None:
    await stage.open(agents=[ALICE])
    control = await control_room(stage)
    await stage.queue(ALICE)
    await ask(stage, control, f"!agent add {BOB}", "is invited to Support queue")
    await stage.queue(BOB)
    await until(lambda: is_agent(stage, BOB), "Bob to be an agent")
    await stage.quiet()
    old = await stage.queue()
    lose(stage, old)
    await ask(stage, control, f"!agent remove {BOB}", "will be out of Support")
    await until(lambda: stage.hs.named("Support queue") not in (None, old), "the new queue room")
    queue = await stage.queue(ALICE)
    await stage.quiet()
    assert queue.membership(BOB) == ""
    rules = [room.state["m.room.join_rules", ""]["content"] for room in stage.hs.rooms.values()]
    assert not any(old.id in str(rule) for rule in rules)


async def is_agent(stage: Stage, who: str) -> bool:
    async with stage.app.database.reading() as tx:
        return await tx.rooms.is_agent(InboxId("support"), Mxid(who))


async def test_health_tells_no_subject_of_a_conversation(stage: Stage) -> None:
    room = await main_story(stage)
    lose(stage, room)
    stage.hs.refuses.add("createRoom")
    await stage.mail(mail("And dark again.", message_id="<m3@customer.example>",
                          In_Reply_To="<m2@customer.example>"))  # fmt: skip

    async def dead() -> bool:
        return "failed permanently" in str(await health(stage))

    await until(dead, "the room to be given up")
    status, parts = await health(stage)
    assert status == 503
    assert "display" not in str(parts)
    stage.hs.refuses.clear()
    await ask(stage, await control_room(stage), "!retry", "")
    await stage.sees(await stage.conversation(), "And dark again.")
