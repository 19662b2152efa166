"""The direct chat of an agent with the bot."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, BOB, EVE, SALES, Stage, mail, until
from tests.stories.desk import begun
from tests.stories.test_order import answered


def invited_elsewhere(stage: Stage, who: str, *, encrypted: bool = False) -> Room:
    """Somebody makes a room of their own and invites the bot, as clients do for a direct chat."""
    made = stage.hs.rooms[f"!own{len(stage.hs.rooms)}"] = Room(
        f"!own{len(stage.hs.rooms)}", "10", who
    )
    stage.hs._member(made, who, who, "join")
    if encrypted:
        content = {"algorithm": "m.megolm.v1.aes-sha2"}
        stage.hs._add(made, who, "m.room.encryption", content, state_key="")
    stage.hs._member(made, who, stage.app.desk.bot, "invite", is_direct=True)
    return made


async def chat(stage: Stage, who: str) -> Room:
    """The direct chat that the bot made with a person, once they are in it."""

    def found() -> Room | None:
        return next((each for each in stage.hs.rooms.values() if is_chat(stage, each, who)), None)

    room = await until(found, f"the direct chat of {who}")
    stage.hs.join(who, room.id)
    return room


def is_chat(stage: Stage, room: Room, who: str) -> bool:
    there = room.state.get(("m.room.member", who), {"content": {}})["content"]
    return room.creator == stage.app.desk.bot and bool(there.get("is_direct"))


@pytest.mark.parametrize("encrypted", [False, True])
async def test_an_agent_who_invites_the_bot_gets_a_direct_chat(
    stage: Stage, encrypted: bool
) -> None:
    await begun(stage)
    own = invited_elsewhere(stage, ALICE, encrypted=encrypted)
    room = await chat(stage, ALICE)
    said = await stage.sees(own, "Your direct chat with me is here: https://matrix.to/#/")
    assert room.id in said["content"]["body"]
    assert ("m.room.encryption", "") not in room.state
    assert ("m.room.name", "") not in room.state  # clients show the bot's name
    await stage.sees(room, "!list, !search, !stats, !away and !back work")
    assert "#1 Dark display" in await answered(stage, room, ALICE, "!list")
    assert "1 hit" in await answered(stage, room, ALICE, "!search display")
    assert "1 wait" in await answered(stage, room, ALICE, "!stats")
    assert "You are away" in await answered(stage, room, ALICE, "! away")
    assert "Welcome back" in await answered(stage, room, ALICE, "!back")
    helped = await answered(stage, room, ALICE, "!help")
    assert "!list" in helped
    assert "!reply" not in helped
    assert "works in a conversation's room" in await answered(stage, room, ALICE, "!reply Hello")
    assert "works in the queue room" in await answered(stage, room, ALICE, "!compose a@b.example x")
    assert "Did you mean !list?" in await answered(stage, room, ALICE, "!lst")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_it_works_only_while_nobody_else_is_there(stage: Stage) -> None:
    await begun(stage)
    invited_elsewhere(stage, ALICE)
    room = await chat(stage, ALICE)
    assert "#1 Dark display" in await answered(stage, room, ALICE, "!list")
    stage.hs._member(room, ALICE, EVE, "invite")  # as an admin of the homeserver could
    assert "I answer in a chat of you and me alone" in await answered(stage, room, ALICE, "!list")
    stage.hs.join(EVE, room.id)
    assert "I answer in a chat of you and me alone" in await answered(stage, room, EVE, "!list")


async def test_an_agent_of_this_very_moment_is_not_declined(stage: Stage) -> None:
    await stage.open()
    queue = await stage.queue()
    await stage.quiet()  # making the room ends with a look at who is in it
    stage.hs.lose_pushes = True  # that Bob joins is heard of after his invitation
    stage.hs._member(queue, stage.app.desk.bot, BOB, "invite")
    stage.hs.join(BOB, queue.id)
    stage.hs.lose_pushes = False
    asks = f"/rooms/{queue.id}/state/m.room.member/{BOB}"
    own = invited_elsewhere(stage, BOB)
    await until(lambda: asks in unquote(str(stage.hs.log)), "the bridge to ask the homeserver")
    assert own.membership(stage.app.desk.bot) == "invite"
    stage.hs._member(queue, BOB, BOB, "join")
    await until(lambda: own.membership(stage.app.desk.bot) == "join", "the bot to come")
    assert await chat(stage, BOB)


async def test_there_is_one_chat_for_each_person_and_a_lost_one_is_made_anew(stage: Stage) -> None:
    await begun(stage)
    invited_elsewhere(stage, ALICE)
    room = await chat(stage, ALICE)
    stage.hs.leave(ALICE, room.id)
    await stage.quiet()
    invited_elsewhere(stage, ALICE)
    await until(lambda: room.membership(ALICE) == "invite", "the second invitation")
    del stage.hs.rooms[room.id]
    invited_elsewhere(stage, ALICE)
    again = await chat(stage, ALICE)
    assert again.id != room.id
    assert "#1 Dark display" in await answered(stage, again, ALICE, "!list")


async def test_who_is_no_agent_any_more_is_told_nothing(stage: Stage) -> None:
    await begun(stage, None, ALICE, BOB)
    invited_elsewhere(stage, BOB)
    room = await chat(stage, BOB)
    assert "#1 Dark display" in await answered(stage, room, BOB, "!list")
    stage.hs.leave(BOB, (await stage.queue()).id)
    await stage.quiet()
    assert "You answer no inbox" in await answered(stage, room, BOB, "!list")
    own = invited_elsewhere(stage, EVE)
    await until(lambda: own.membership(stage.app.desk.bot) == "leave", "the bot to decline")


async def test_an_admin_is_shown_the_way_to_the_control_room(stage: Stage) -> None:
    await begun(stage)
    own = invited_elsewhere(stage, ADMIN)
    await stage.sees(own, "Admin commands work here: https://matrix.to/#/")
    room = await chat(stage, ADMIN)
    assert "You answer no inbox" in await answered(stage, room, ADMIN, "!list")
    assert "works in the control room" in await answered(stage, room, ADMIN, "!inbox list")


async def test_an_agent_of_two_inboxes_sees_both(stage: Stage) -> None:
    config = stage.config()
    support = {**config["inboxes"]["support"], "agents": [ALICE]}
    sales = {**support, "name": "Sales", "address": SALES}
    config["inboxes"] = {"support": {**support, "default": True}, "sales": sales}
    await stage.open(config)
    for name in ("Support queue", "Sales queue"):
        await stage.enter(name, ALICE)
    await stage.quiet()
    invited_elsewhere(stage, ALICE)
    room = await chat(stage, ALICE)
    listed = await answered(stage, room, ALICE, "!list")
    assert "Support, open" in listed
    assert "Sales, open" in listed
    assert (await answered(stage, room, ALICE, "!away")).count("You are away") == 1


async def test_the_queue_room_says_that_commands_work_there(stage: Stage) -> None:
    await begun(stage, mail())
    await stage.sees(await stage.queue(), "also work in a direct chat with me")
