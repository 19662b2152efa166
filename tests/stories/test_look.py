"""How rooms look and stand: faces, states for other tools, who is still in what was closed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from bridge.chat.render import state_line
from bridge.desk.admin import janitor
from bridge.desk.rooms import picture
from bridge.desk.triage.remind import remind
from bridge.model import Address, Number, State
from tests.servers.matrix_state import DOMAIN, Room, name_of
from tests.stage import ALICE, BOB, CUSTOMER, SUPPORT, Stage, mail, until
from tests.stories.desk import begun
from tests.stories.test_order import answered

GHOST = f"@email_{CUSTOMER.replace('@', '=40')}:{DOMAIN}"
DAY = 86_400.0


async def test_people_rooms_and_the_bot_have_faces(stage: Stage) -> None:
    room = await begun(stage)
    queue, space = await stage.queue(), await stage.room("Support")
    await stage.quiet()
    face = room.state["m.room.avatar", ""]["content"]["url"]
    assert room.state["m.room.member", GHOST]["content"]["avatar_url"] == face
    assert stage.hs.media[face].startswith(b"\x89PNG")  # type: ignore[union-attr]  # it was filled
    inbox = queue.state["m.room.avatar", ""]["content"]["url"]
    assert space.state["m.room.avatar", ""]["content"]["url"] == inbox != face
    own = stage.hs.profiles[f"@email_bot:{DOMAIN}"]
    assert own["displayname"] == "Postroom"
    assert own["avatar_url"] in stage.hs.media
    await stage.mail(mail(subject="Again", message_id="<m2@customer.example>"))
    second = await stage.conversation(2)
    await stage.quiet()
    assert second.state["m.room.avatar", ""]["content"]["url"] == face  # uploaded once


async def test_two_who_want_one_face_at_the_same_time_have_the_same(stage: Stage) -> None:
    await stage.open()
    await stage.quiet()
    wanted = picture.avatar_request(Address("zoe@customer.example", "Zoe Quill"))
    desk = stage.app.desk
    faces = await asyncio.gather(
        *(picture.upload_avatar(desk, wanted, waits=True) for _ in range(5))
    )
    assert len(set(faces)) == 1
    assert faces[0] == await picture.upload_avatar(desk, wanted)


async def test_other_tools_see_what_the_room_is_and_how_it_stands(stage: Stage) -> None:
    room = await begun(stage)
    for type_ in ("m.bridge", "uk.half-shot.bridge"):
        content = room.state[type_, "app.postroom/support/1"]["content"]
        assert content["protocol"]["id"] == "email"
        assert content["channel"] == {"id": "1", "displayname": f"Carla Customer <{CUSTOMER}>"}
        assert content["network"]["displayname"] == f"Support <{SUPPORT}>"
    standing = room.state["app.postroom.conversation", ""]["content"]
    assert (standing["number"], standing["state"], standing["assignee"]) == (1, "open", None)
    assert isinstance(standing["waiting_since"], int)
    await answered(stage, room, ALICE, "!take")
    await answered(stage, room, ALICE, "!tag +vip")
    await answered(stage, room, ALICE, "!priority high")
    await answered(stage, room, ALICE, "!close")
    await stage.quiet()
    standing = room.state["app.postroom.conversation", ""]["content"]
    assert (standing["state"], standing["assignee"]) == ("closed", ALICE)
    assert (standing["tags"], standing["priority"]) == (["vip"], "high")
    assert standing["waiting_since"] is None


async def test_a_closed_room_is_not_in_the_space_and_an_open_one_is(stage: Stage) -> None:
    room = await begun(stage)
    space = await stage.room("Support")
    await stage.quiet()
    assert space.state["m.space.child", room.id]["content"]["via"] == [DOMAIN]
    await answered(stage, room, ALICE, "!close")
    await stage.quiet()
    assert space.state["m.space.child", room.id]["content"] == {}
    await answered(stage, room, ALICE, "!reopen")
    await stage.quiet()
    assert space.state["m.space.child", room.id]["content"]["via"] == [DOMAIN]


async def test_everybody_leaves_what_was_closed_long_ago_and_comes_back(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    await answered(stage, room, ALICE, "!take")
    await answered(stage, room, ALICE, "!close")
    await stage.quiet()
    async with stage.app.database.transaction("settings") as tx:
        await tx.conversations.update(1, closed_at=stage.app.desk.now() - 29 * DAY)
    await clean(stage)
    assert room.membership(BOB) == "join"
    async with stage.app.database.transaction("settings") as tx:
        await tx.conversations.update(1, closed_at=stage.app.desk.now() - 29.9 * DAY)

    later = replace(stage.app.desk, now=lambda: time.time() + DAY)
    await clean(stage, later)
    await until(lambda: room.membership(BOB) == "leave", "Bob to be out")
    assert (room.membership(ALICE), room.membership(GHOST)) == ("leave", "leave")
    await clean(stage, later)  # once is enough
    await stage.mail(mail("Hello again", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Hello again")
    await stage.quiet()
    assert (room.membership(ALICE), room.membership(GHOST)) == ("invite", "join")
    assert room.membership(BOB) == "leave"
    stage.hs.join(BOB, room.id)  # any agent walks in from the card


async def clean(stage: Stage, desk: object = None) -> None:

    while await janitor.clean(desk or stage.app.desk):
        pass
    await stage.quiet()


async def test_who_waits_longer_than_promised_is_told_of_once(stage: Stage) -> None:

    room = await begun(stage, answer_within=4)
    queue = await stage.queue()
    await stage.quiet()
    await remind(stage.app.desk)
    await stage.quiet()
    assert not any("⏰" in body for body in stage.hs.bodies(queue))
    async with stage.app.database.transaction("settings") as tx:
        await tx.conversations.update(1, waiting_since=stage.app.desk.now() - 5 * 3600)
    await remind(stage.app.desk)
    told = await stage.sees(queue, "⏰ #1 Dark display: Carla Customer has waited 5 h, and nobody")
    assert told["content"]["msgtype"] == "m.text"
    await remind(stage.app.desk)
    await stage.quiet()
    assert sum("⏰" in body for body in stage.hs.bodies(queue)) == 1
    await answered(stage, room, ALICE, "!take")
    async with stage.app.database.transaction("settings") as tx:
        waits = stage.app.desk.now() - 6 * 3600
        await tx.conversations.update(1, waiting_since=waits, reminded_at=0.0)
    await remind(stage.app.desk)
    told = await stage.sees(room, "⏰ Alice, Carla Customer has waited 6 h for an answer.")
    assert told["content"]["m.mentions"] == {"user_ids": [ALICE]}


async def agree(stage: Stage, room: Room, queue: Room) -> None:
    """Card, list, name, topic, namespaced state and space say what the database says."""
    await stage.quiet_but("wake")
    async with stage.app.database.reading() as tx:
        about = await tx.conversations.get(Number(1))
    standing = room.state["app.postroom.conversation", ""]["content"]
    said = (standing["state"], standing["assignee"], standing["tags"], standing["subject"])
    assert said == (about.state, about.assignee, list(about.tags), about.subject)
    assert standing["contact"]["address"] == about.contact.spec
    assert room.state["m.room.name", ""]["content"]["name"] == f"#1 {about.subject}"
    topic = room.state["m.room.topic", ""]["content"]["topic"].split(" · ")
    assert topic[0] == str(about.contact)
    assert topic[2:] == [about.state.value, *([name_of(about.assignee)] if about.assignee else [])]
    card = next(body for body in stage.hs.bodies(queue) if body.startswith("#1 "))
    assert state_line(about).replace(ALICE, "Alice").replace(BOB, "Bob") in card
    assert all(tag in card for tag in about.tags)
    summary = next(body for body in stage.hs.bodies(queue) if body.startswith("Support:"))
    assert ("#1 " in summary) is (about.state is State.OPEN)
    space = await stage.room("Support")
    listed = bool(space.state["m.space.child", room.id]["content"])
    assert listed is (about.state not in (State.CLOSED, State.SPAM))


async def test_everything_that_shows_a_conversation_agrees_whatever_is_done(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    queue = await stage.queue()
    await agree(stage, room, queue)
    for said in (
        "!take", "!tag +vip", "!snooze 2d", "!reopen", "!subject Dark screen", "!priority low",
        f"!assign {BOB}", "!close", "!reopen", "!contact name Carla C.", "!spam", "!reopen",
        "!unassign", "!contact set dora@x.example", "!tag -vip +new", "!snooze 3h",
    ):  # fmt: skip
        stage.hs.say(ALICE, room.id, said)
        await until(lambda: not stage.hs.pushes, f"{said} to be heard")
        await agree(stage, room, queue)
    await stage.mail(mail("Again", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Again")
    await agree(stage, room, queue)
    stage.hs.say(BOB, room.id, "!reply Done")
    await stage.sees(room, "✅ sent")
    await agree(stage, room, queue)
