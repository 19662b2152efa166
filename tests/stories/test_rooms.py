"""Rooms and who is in them."""

from __future__ import annotations

import pytest

from tests.servers.matrix_state import Room
from tests.stage import (
    ADMIN,
    ALICE,
    BOB,
    CUSTOMER,
    EVE,
    Stage,
    mail,
    until,
)
from tests.stories.desk import begun

REPLY = {"In_Reply_To": "<m1@customer.example>"}


async def rooms(stage: Stage) -> list[str]:
    return sorted(
        event["content"]["name"]
        for room in stage.hs.rooms.values()
        if (event := room.state.get(("m.room.name", "")))
        and event["content"]["name"].startswith("#")
    )


async def test_who_left_while_we_were_away_is_put_out(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    queue = await stage.queue()
    await until(lambda: room.power(BOB) == 50, "Bob's rights")
    await stage.quiet()
    await stage.close()
    stage.hs.lose_pushes = True
    stage.hs.leave(BOB, queue.id)
    stage.hs.lose_pushes = False
    await stage.open()
    await until(lambda: room.membership(BOB) == "leave" and room.power(BOB) == 0, "Bob to be out")


async def test_who_replies_first_owns_it_and_an_owner_is_told(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    stage.hs.say(ALICE, room.id, "!reply One")
    await stage.sees(await stage.queue(), "taken by Alice")
    await stage.sent(1)
    stage.hs.say(BOB, room.id, "!reply Two")
    asked = await stage.sees(room, "Alice answered here less than a minute ago. Send this, too?")
    await stage.quiet()
    assert not [body for body in stage.hs.bodies(room) if "has taken it" in body]
    stage.hs.react(BOB, room.id, asked["event_id"], "✅")
    told = await stage.sees(room, "Bob answered here; Alice has taken it.")
    assert told["content"]["m.mentions"] == {"user_ids": [ALICE]}
    assert (
        f'<a href="https://matrix.to/#/{ALICE}">Alice</a> has' in told["content"]["formatted_body"]
    )
    assert len(await stage.sent(2)) == 2
    await stage.mail(mail("Thanks", message_id="<t@customer.example>", **REPLY))
    shown = await stage.sees(room, "Thanks")
    assert shown["content"]["m.mentions"] == {"user_ids": [ALICE]}


async def test_room_version_11_works_too(stage: Stage) -> None:
    config = stage.config()
    config["homeserver"]["room_version"] = "11"
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    assert room.power("@email_bot:fake.local") == 1000
    assert room.state["m.room.power_levels", ""]["content"]["users"]["@email_bot:fake.local"] == 100


async def test_agents_gain_and_lose_rights_with_the_queue_room(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue(BOB)
    await until(lambda: room.power(BOB) == 50, "Bob's rights")
    stage.hs.join(BOB, room.id)
    stage.hs.leave(BOB, queue.id)
    await until(lambda: room.membership(BOB) == "leave" and room.power(BOB) == 0, "Bob to be out")


async def test_a_half_room_is_waited_for_and_then_made_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.matrix.homeserver.PATIENCE", 0.2)
    await stage.open()
    await stage.queue(ALICE)
    await stage.quiet()
    stage.hs.fail_rooms_after_alias = 1
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    assert (
        len([r for r in stage.hs.rooms.values() if CUSTOMER.replace("@", "=40") in str(r.state)])
        == 1
    )


async def test_a_room_that_lacks_name_and_guests_is_completed(stage: Stage) -> None:
    stage.hs.fail_rooms_before_name = 3
    await stage.open()
    queue = await stage.queue(ALICE)
    await until(lambda: queue.membership(BOB) == "invite", "the invitation")
    await stage.quiet()
    for name in ("Postroom control", "Support queue", "Support"):
        assert (await stage.room(name)).state["m.room.topic", ""]["content"]["topic"]
    stage.hs.fail_rooms_before_name = 1
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    assert len(stage.hs.rooms) == len(stage.hs.aliases) == 4


async def asked_in(stage: Stage, number: int, who: str, membership: str) -> None:
    """Somebody invites the bot to a room of their own; what becomes of it."""
    direct = Room(f"!direct{number}", "12", who)
    stage.hs.rooms[direct.id] = direct
    stage.hs._member(direct, who, who, "join")
    stage.hs._member(direct, who, stage.app.desk.bot, "invite")
    await until(lambda: direct.membership(stage.app.desk.bot) == membership, membership)


async def test_T39_who_may_not_talk_to_the_bot_is_left_alone_and_who_may_is_shown_the_way(
    stage: Stage,
) -> None:
    await stage.open()
    await stage.enter("Postroom control", ADMIN)
    await stage.quiet()
    await asked_in(stage, 0, EVE, "leave")
    await asked_in(stage, 1, ADMIN, "join")
    await stage.sees(stage.hs.rooms["!direct1"], "https://matrix.to/#/!room")
