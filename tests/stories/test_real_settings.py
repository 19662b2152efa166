"""The main story beside a Synapse with each setting that refuses something to the bridge."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.conftest import living
from tests.real import DOMAIN, Town
from tests.stage import mail, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SUPPORT = "support@acme.example"
SETTINGS: dict[str, dict[str, Any]] = {
    "no picture is allowed": {"allowed_avatar_mimetypes": ["image/gif"]},
    "every picture is too large": {"max_avatar_size": "10"},
    "names are those of the profile": {"allow_per_room_profiles": False},
    "no media repository here": {"enable_media_repo": False},
    "the day's uploads are used up": {
        "media_upload_limits": [{"time_period": "1d", "max_size": "1K"}]
    },
    "rooms are encrypted": {"encryption_enabled_by_default_for_room_type": "invite"},
    "only admins invite": {"block_non_admin_invites": True},
}
WITHOUT_FILES = ("no media repository here", "the day's uploads are used up")


async def call(town: Town, method: str, path: str, body: Any = None, *, token: str = "as") -> Any:
    """A request to Synapse as itself or, with `token`, as somebody else."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{town.synapse.url}{path}", json=body, headers=headers) as answer,
    ):
        found = await answer.json()
        assert answer.status == 200, (answer.status, found)
        return found


async def as_admin(town: Town, method: str, path: str, body: Any = None) -> Any:
    if "root" not in town.tokens:
        town.tokens["root"] = await town.synapse.register("root", "secret", admin=True)
    return await call(town, method, f"/_synapse/admin{path}", body, token=town.tokens["root"])


async def main_story(town: Town, *, files: bool = True) -> str:
    """A mail comes in, agents talk, a reply goes out, the customer answers. The room's id."""
    alice = town.agents["alice"]
    queue = await alice.enter("Support queue")
    await town.deliver(SUPPORT, mail(files=(("p.txt", "text/plain", b"Notes" * 400),)))
    card = await alice.sees(queue, "#1 Dark display")
    await alice.react(queue, card["event_id"], "✋")
    room = await alice.walk_in(1)
    await alice.sees(room, "my display stays dark")
    await alice.sees(room, "p.txt")
    if files:
        await until(lambda: has_file(town, room, "p.txt"), "the file", 30)
    await alice.say(room, "Just between us.")
    await alice.say(room, "!reply Please press the button.")
    (sent,) = await town.sent(1)
    await alice.sees(room, "✅ sent")
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


@pytest.mark.parametrize("setting", SETTINGS)
async def test_the_main_story_with(new_town: Town, setting: str) -> None:
    async with living(new_town, **SETTINGS[setting]) as town:
        config = town.config(support=town.inbox("support"))
        if setting == "rooms are encrypted":
            config["homeserver"]["encryption"] = "avoid"
        if setting == "only admins invite":
            body = {"type": "m.login.application_service", "username": "email_bot",
                    "inhibit_login": True}  # fmt: skip
            await call(town, "POST", "/_matrix/client/v3/register", body)
            await as_admin(town, "PUT", f"/v1/users/@email_bot:{DOMAIN}/admin", {"admin": True})
        await town.run(config, well=setting != "no media repository here")
        room = await main_story(town, files=setting not in WITHOUT_FILES)
        names = await town.agents["alice"].client.joined_members(room)
        shown = {each.display_name for each in names.members}
        assert any("Carla Customer" in str(name) for name in shown), shown


async def told(town: Town, text: str) -> str:
    """Wait for a message of the control room that holds `text`; returns it."""
    admin = town.agents["admin"]
    control = await admin.enter("Postroom control")
    return str((await admin.sees(control, text))["content"]["body"])


async def test_an_agent_who_refuses_invitations_stops_nobody(town: Town) -> None:
    bob = town.agents["bob"]
    blocked = {"default_action": "block"}
    for type_ in ("m.invite_permission_config", "org.matrix.msc4155.invite_permission_config"):
        path = f"/_matrix/client/v3/user/{bob.mxid}/account_data/{type_}"
        await call(town, "PUT", path, blocked, token=bob.client.access_token)
    await town.open()
    await main_story(town)


async def test_an_agent_of_another_homeserver_stops_nobody(town: Town) -> None:
    agents = [f"@alice:{DOMAIN}", "@zoe:elsewhere.example"]
    await town.open(support=town.inbox("support", agents=agents))
    await main_story(town)
    text = await told(town, "(@zoe:elsewhere.example) cannot be invited into the queue room")
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
    await town.sent(2)
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
    await town.sent(2)
    await town.quiet(60)
