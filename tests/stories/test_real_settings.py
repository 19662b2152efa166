"""The main story beside a Synapse with each setting that refuses something to the bridge."""

from __future__ import annotations

import pytest

from tests.homeservers import as_admin, suspend_ghost
from tests.real import DOMAIN, Town
from tests.stage import mail, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SUPPORT, ZOE = "support@acme.example", "@zoe:elsewhere.example"


async def main_story(town: Town) -> str:
    """A mail with a file comes in, agents talk, a reply and a message with 📧 go out, the customer
    answers: the story of the demo. Returns the room's id."""
    alice = town.agents["alice"]
    queue = await alice.enter("Support queue")
    await town.deliver(SUPPORT, mail(files=(("p.txt", "text/plain", b"Notes" * 400),)))
    card = await alice.sees(queue, "#1 Dark display")
    await alice.react(queue, card["event_id"], "✋")
    room = await alice.walk_in(1)
    await alice.sees(room, "my display stays dark")
    await alice.sees(room, "p.txt")
    if town.setting.files:
        await until(lambda: has_file(town, room, "p.txt"), "the file", 30)
    await alice.say(room, "Just between us.")
    await alice.say(room, "!reply Please press the button.")
    (sent,) = await town.sent(1)
    await alice.sees(room, "✅ sent")
    await alice.react(room, await alice.say(room, "The cable may be loose, too."), "📧")
    await town.sent(2)
    await town.deliver(SUPPORT, mail(
        "It lights up.", message_id="<m2@customer.example>", In_Reply_To=str(sent["Message-ID"])
    ))  # fmt: skip
    await alice.sees(room, "It lights up.")
    return room


async def has_file(town: Town, room: str, name: str) -> bool:
    return any(
        event["content"].get("msgtype") == "m.file" and event["content"].get("filename") == name
        for event in await town.agents["alice"].messages(room)
    )


@pytest.mark.any_homeserver
async def test_the_main_story_with(any_town: Town) -> None:
    await any_town.open()
    room = await main_story(any_town)
    names = await any_town.agents["alice"].client.joined_members(room)
    shown = {each.display_name for each in names.members}
    assert any_town.setting.people is suspend_ghost or any(
        "Carla Customer" in str(name) for name in shown
    ), shown


async def told(town: Town, text: str) -> str:
    """Wait for a message of the control room that holds `text`; returns it."""
    admin = town.agents["admin"]
    control = await admin.enter("Postroom control")
    return str((await admin.sees(control, text))["content"]["body"])


async def test_an_agent_of_another_homeserver_stops_nobody(town: Town) -> None:
    await town.open(support=town.inbox("support", agents=[f"@alice:{DOMAIN}", ZOE]))
    await main_story(town)
    text = await told(town, f"({ZOE}) cannot be invited into the queue room")
    assert "tries again every hour" in text


@pytest.mark.parametrize("act", ["deactivate", "suspend"])
async def test_a_ghost_that_an_admin_shut_out_stops_no_mail(town: Town, act: str) -> None:
    await town.open()
    room = await main_story(town)
    alice = town.agents["alice"]
    ghost = (await alice.sees(room, "It lights up."))["sender"]
    if act == "deactivate":  # Synapse still lets it speak when it has joined again
        await as_admin(town, "POST", f"/v1/deactivate/{ghost}", {})
    else:
        await as_admin(town, "PUT", f"/v1/suspend/{ghost}", {"suspend": True})
    await town.deliver(SUPPORT, mail(
        "And dark again.", message_id="<m3@customer.example>",
        In_Reply_To="<m2@customer.example>", files=(("again.txt", "text/plain", b"Again"),),
    ))  # fmt: skip
    shown = await alice.sees(room, "And dark again.")
    if act == "suspend":
        assert shown["content"]["body"].startswith("Carla Customer (carla@customer.example):")
        assert shown["sender"] == f"@email_bot:{DOMAIN}"
    await until(lambda: has_file(town, room, "again.txt"), "the file", 30)
    await town.quiet(60)


async def delete_room(town: Town, room: str) -> None:
    await as_admin(town, "DELETE", f"/v1/rooms/{room}", {"purge": True, "block": True})


async def test_a_room_that_an_admin_deleted_is_made_anew_with_its_mails(town: Town) -> None:
    await town.open()
    old = await main_story(town)
    await town.quiet(60)
    alice = town.agents["alice"]
    await town.healthy()
    await delete_room(town, old)
    await town.deliver(SUPPORT, mail(
        "And dark again.", message_id="<m3@customer.example>",
        In_Reply_To="<m2@customer.example>",
    ))  # fmt: skip

    async def renewed() -> bool:
        return await alice.linked(1) != old

    await until(renewed, "the card to lead to the new room", 30)
    room = await alice.walk_in(1)
    await alice.sees(room, "And dark again.")
    texts = [e["content"]["body"] for e in await alice.messages(room) if "body" in e["content"]]
    assert "lost the room" in texts[0]
    assert [any(each in text for text in texts) for each in (
        "my display stays dark", "It lights up.", "↗ sent",
    )] == [True] * 3, texts  # fmt: skip
    assert await has_file(town, room, "p.txt")
    await alice.say(room, "!reply Press it twice.")
    await town.sent(3)
    await town.quiet(60)
    await town.healthy()


async def test_a_queue_room_and_a_space_that_an_admin_deleted_are_made_anew(town: Town) -> None:
    await town.open()
    await main_story(town)
    await town.quiet(60)
    alice = town.agents["alice"]
    old = await alice.enter("Support queue")
    await delete_room(town, old)
    await town.deliver(SUPPORT, mail(
        "A new lamp, please.", subject="Lamp", message_id="<lamp@customer.example>"
    ))  # fmt: skip

    async def invited() -> str:
        await alice.look()
        fresh = [r for r, n in alice.names.items() if n == "Support queue" and r != old]
        return fresh[0] if fresh else ""

    queue = await until(invited, "the invitation into the new queue room", 30)
    await alice.join(queue)
    await alice.sees(queue, "#1 Dark display")
    await alice.sees(queue, "#2 Lamp")
    alice.names.pop(old, None)
    room = await alice.walk_in(2)
    await alice.say(room, "!reply Here it is.")
    await town.sent(3)
    await town.quiet(60)
