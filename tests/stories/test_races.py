"""Edits, yeses and crashes that cross: nothing leaves that nobody saw, and nothing leaves twice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bridge.desk.rooms import vacate
from bridge.desk.triage import state
from bridge.mail import compose
from bridge.model import InboxId, Mxid, Number, RoomId, State
from tests.servers.database import rows
from tests.servers.matrix_state import Refusal, Room
from tests.stage import ALICE, BOB, SALES, Stage, mail, until
from tests.stories.desk import begun, control_room
from tests.stories.test_drafts import shown
from tests.stories.test_order import answered
from tests.stories.test_relocate import second, two_inboxes


def text_of(sent: Any) -> str:
    return str(sent.get_body(("plain",)).get_content())


class Gate:
    """Holds the building of mails until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.reached = threading.Event(), threading.Event()
        build: Callable[[Any], bytes] = compose.build

        def slow(outgoing: Any) -> bytes:
            self.reached.set()
            self.opened.wait(20)
            return build(outgoing)

        monkeypatch.setattr(compose, "build", slow)


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_joins_while_the_members_are_listed_is_an_agent(
    stage: Stage, restarted: bool
) -> None:
    async def joins(room: Room) -> None:
        """Alice joins after the list was made, and before the bridge has it."""
        name = room.state[("m.room.name", "")]["content"]["name"]
        if name != "Support queue" or room.membership(ALICE) == "join":
            return
        stage.hs._member(room, room.creator, ALICE, "invite")
        stage.hs.join(ALICE, room.id)

        async def handled() -> bool:
            joined = await rows(
                stage.database, stage.folder,
                f"SELECT id FROM event WHERE state_key = '{ALICE}' AND content LIKE '%join%'",
            )  # fmt: skip
            events = "SELECT id FROM job WHERE kind = 'event'"
            return bool(joined) and not await rows(stage.database, stage.folder, events)

        with contextlib.suppress(AssertionError):  # it waits for the list, as it should
            await until(handled, "the event to be handled", 1)

    if restarted:
        await stage.open()
        await stage.queue(BOB)
        await stage.quiet()
        await stage.close()
    stage.hs.after_members = joins
    await stage.open()
    queue = await stage.queue(BOB)
    await stage.mail(mail())
    room = await stage.conversation()
    await until(lambda: queue.membership(ALICE) == "join", "Alice to join")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Have you tried another cable?")
    await stage.sent()
    assert room.membership(ALICE) == "join"


async def test_what_a_lead_sent_of_somebody_is_not_reworded_behind_their_back(
    stage: Stage,
) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="leads", leads=[BOB])
    message = stage.hs.say(ALICE, room.id, "Good words")
    stage.hs.react(BOB, room.id, message, "📧")
    draft = await shown(stage, room, "🔏", "Good words")
    stage.hs.edit(ALICE, room.id, message, "Evil words")
    await shown(stage, room, "🔏", "Evil words")
    await stage.quiet()
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    await stage.sees(room, "A lead has to approve this: Bob.")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.react(BOB, room.id, draft["event_id"], "❌")
    await stage.sees(room, "nothing was sent")


async def test_who_wrote_what_another_sent_does_not_approve_it(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="four-eyes")
    message = stage.hs.say(ALICE, room.id, "Good words")
    stage.hs.react(BOB, room.id, message, "📧")
    await shown(stage, room, "🔏", "Good words")
    stage.hs.edit(ALICE, room.id, message, "Evil words")
    draft = await shown(stage, room, "🔏", "Evil words")
    for who in (ALICE, BOB):
        stage.hs.react(who, room.id, draft["event_id"], "✅")
    await until(lambda: sum("you wrote or sent it" in body for body in stage.hs.bodies(room)) == 2,
                "both to be refused")  # fmt: skip
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_what_reads_the_same_and_is_another_file_is_looked_at_anew(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="four-eyes")
    file = stage.hs.file(ALICE, room.id, "offer.pdf", b"10 EUR", "application/pdf")
    other = stage.hs.file(ALICE, room.id, "offer.pdf", b"99 EUR", "application/pdf")
    stage.hs.reply(ALICE, room.id, file, "!reply See the offer")
    draft = await shown(stage, room, "🔏", "offer.pdf")
    await stage.quiet()
    versions = "SELECT version FROM post WHERE key LIKE 'status:%'"
    before = await rows(stage.database, stage.folder, versions)
    contents = {e["event_id"]: e["content"] for e in room.events}
    stage.hs.send(ALICE, room.id, "m.room.message", {
        **contents[other], "body": "* offer.pdf", "m.new_content": contents[other],
        "m.relates_to": {"rel_type": "m.replace", "event_id": file},
    })  # fmt: skip
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")

    async def anew() -> bool:
        return bool(await rows(stage.database, stage.folder, versions) != before)

    await until(anew, "another preview of the same words")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_yes_to_the_old_preview_is_none_to_the_new_one(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="four-eyes")
    command = stage.hs.say(ALICE, room.id, "!reply Seen")
    draft = await shown(stage, room, "🔏", "Seen")
    await stage.quiet()
    send = stage.hs._send

    def held(room_: Any, user: str, *more: Any) -> str:
        if "Unseen" in str(more) and user != ALICE:
            raise Refusal(502, "M_UNKNOWN")
        return send(room_, user, *more)

    stage.hs._send = held  # type: ignore[method-assign,assignment]  # the homeserver fails here
    stage.hs.edit(ALICE, room.id, command, "!reply Unseen")

    async def noted() -> bool:
        query = "SELECT id FROM post WHERE key LIKE 'status:%' AND content LIKE '%Unseen%'"
        return bool(await rows(stage.database, stage.folder, query))

    await until(noted, "the new preview to be wanted")
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")
    await until(lambda: not stage.hs.pushes, "the yes to be heard")
    stage.hs._send = send  # type: ignore[method-assign]  # and works again
    await stage.sees(room, "look at the new preview, then say yes again")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.say(BOB, room.id, "!yes")
    (sent,) = await stage.sent()
    assert "Unseen" in text_of(sent)


async def test_an_edit_while_the_mail_is_built_is_what_leaves_once_agreed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="four-eyes")
    gate = Gate(monkeypatch)
    command = stage.hs.say(ALICE, room.id, "!reply Price is 10")
    draft = await shown(stage, room, "🔏", "Price is 10")
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")
    await until(gate.reached.is_set, "the mail to be built")
    stage.hs.edit(ALICE, room.id, command, "!reply Price is 1000")
    await shown(stage, room, "🔏", "Price is 1000")
    gate.opened.set()
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.say(BOB, room.id, "!yes")
    (sent,) = await stage.sent()
    assert "1000" in text_of(sent)


async def test_a_forward_readdressed_while_it_is_built_goes_to_the_right_one_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await begun(stage)
    gate = Gate(monkeypatch)
    command = stage.hs.say(ALICE, room.id, "!forward wrong@partner.example FYI")
    await until(gate.reached.is_set, "the mail to be built")
    stage.hs.edit(ALICE, room.id, command, "!forward right@partner.example FYI")
    await stage.sees(room, "as edited")
    gate.opened.set()
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    (entry,) = stage.smtp.accepted()
    assert "wrong@" not in str(entry)


async def test_a_forward_edited_to_no_address_is_not_sent_at_all(stage: Stage) -> None:
    room = await begun(stage, undo=60)
    command = stage.hs.say(ALICE, room.id, "!forward wrong@partner.example FYI")
    await stage.sees(room, "❌ stops it")
    stage.hs.edit(ALICE, room.id, command, "!forward right@@partner.example FYI")
    await stage.sees(room, "the edit names no address to send it to, nothing was sent")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_new_conversation_is_with_whom_the_edited_command_names(stage: Stage) -> None:
    await stage.open(undo=1.5)
    queue = await stage.queue(ALICE)
    command = stage.hs.say(ALICE, queue.id, "!compose wrong@a.example Ofer\nsecret price")
    room = await stage.conversation()
    await stage.sees(room, "❌ stops it")
    stage.hs.edit(ALICE, queue.id, command, "!compose right@a.example Offer\nsecret price")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply one more secret")
    sent = await stage.sent(2)
    assert [str(each["To"]) for each in sent] == ["right@a.example"] * 2
    await stage.quiet()
    assert room.state["m.room.name", ""]["content"]["name"] == "#1 Offer"
    assert "right@a.example" in room.state["m.room.topic", ""]["content"]["topic"]


async def test_a_preview_that_waits_for_a_file_holds_up_no_mail(stage: Stage) -> None:
    room = await begun(stage)
    file = stage.hs.file(ALICE, room.id, "big.pdf", b"x" * 50, "application/pdf")
    answer = stage.hs._answer

    def away(request: Any, *more: Any) -> Any:
        if "/media/download/" in request.path:
            raise Refusal(504, "M_UNKNOWN")
        return answer(request, *more)

    stage.hs._answer = away  # type: ignore[method-assign,assignment]  # the media repository is away
    stage.hs.reply(ALICE, room.id, file, "!draft See the file")
    await until(lambda: not stage.hs.pushes, "the draft to be ordered")
    await stage.mail(mail("URGENT: hold it", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "URGENT")
    stage.hs._answer = answer  # type: ignore[method-assign]  # and back
    await shown(stage, room, "See the file")


async def test_a_room_is_made_while_the_media_repository_is_away(stage: Stage) -> None:
    await stage.open()
    await stage.queue(ALICE)
    await stage.quiet()
    stage.hs.fail_media = 1_000
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    await stage.mail(mail("Second mail", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Second mail")
    await stage.sees(await stage.queue(), "#1 Carla Customer")
    stage.hs.fail_media = 0
    await until(lambda: ("m.room.avatar", "") in room.state, "the room's face, later")


async def test_who_is_put_out_while_their_conversation_opens_is_asked_in_again(
    stage: Stage,
) -> None:
    room = await begun(stage)
    await answered(stage, room, ALICE, "!take")
    await answered(stage, room, ALICE, "!close")
    await stage.quiet()
    desk, number = stage.app.desk, Number(1)
    async with stage.app.database.transaction("told") as tx:
        await vacate.vacate(tx, desk, await tx.conversations.get(number))
    async with stage.app.database.transaction("told") as tx:
        await state.set_state(tx, desk, await tx.conversations.get(number), State.OPEN)
    await until(lambda: room.membership(ALICE) == "invite", "the invitation behind the kick")


async def test_a_reaction_on_what_is_left_of_a_moved_card_does_nothing(stage: Stage) -> None:
    room = await two_inboxes(stage)
    support = await stage.room("Support queue")
    card = next(e for e in stage.hs.messages(support) if e["content"]["body"].startswith("#1 "))
    await answered(stage, room, ALICE, f"!move {SALES}")
    await stage.sees(support, "➡️ moved to Sales")
    await stage.quiet()
    old = (await stage.room("Support")).id
    assert room.state["m.space.parent", old]["content"] == {}
    stage.hs.react(ALICE, support.id, card["event_id"], "✅")
    await until(lambda: not stage.hs.pushes, "the reaction to be heard")
    await stage.quiet()
    assert await rows(stage.database, stage.folder, "SELECT id FROM job") == []
    assert "open" in room.state["m.room.topic", ""]["content"]["topic"]


async def test_mail_for_a_team_that_is_no_more_begins_anew_where_it_came(stage: Stage) -> None:
    room = await two_inboxes(stage)
    await answered(stage, room, ALICE, f"!move {SALES}")
    await stage.quiet()
    await stage.close()
    await stage.open()  # without Sales
    await stage.mail(mail("Are you there?", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    new = await stage.conversation(2)
    await stage.sees(new, "Are you there?")


async def test_what_sleeps_or_is_unconfirmed_is_not_merged_away(stage: Stage) -> None:
    first = await begun(stage)
    room = await second(stage)
    await answered(stage, first, ALICE, "!close")
    await answered(stage, room, ALICE, "!snooze 2d")
    await answered(stage, room, ALICE, "!merge 1")
    await stage.quiet_but("wake")
    assert "open" in first.state["m.room.topic", ""]["content"]["topic"]
    await control_room(stage)


async def test_a_note_that_was_taken_back_or_edited_is_found_as_it_is(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    note = stage.hs.say(ALICE, room.id, "!note aardvark")
    await stage.sees(room, "Noted")
    stage.hs.edit(ALICE, room.id, note, "!note buffalo")

    async def found(word: str) -> bool:
        return "1 hit" in await answered(stage, queue, ALICE, f"!search {word}")

    await until(lambda: found("buffalo"), "the new words")
    assert not await found("aardvark")
    stage.hs.redact(ALICE, room.id, note)
    await until(lambda: not stage.hs.pushes, "the redaction to be heard")
    await stage.quiet()
    assert not await found("buffalo")


async def test_who_is_an_agent_already_is_not_put_out_before_that_is_noted(stage: Stage) -> None:
    """After a time without the homeserver, that somebody entered the queue room and what they did
    next are heard of together."""
    room = await begun(stage)
    queue = await stage.queue(ALICE, BOB)

    async def is_noted() -> bool:
        async with stage.app.database.reading() as tx:
            return await tx.rooms.is_agent(InboxId("support"), Mxid(BOB))

    await until(is_noted, "the entry to be noted")
    await stage.quiet()
    async with stage.app.database.transaction("settings") as tx:
        await tx.rooms.set_member(RoomId(queue.id), Mxid(BOB), "leave")
    stage.hs.join(BOB, room.id)
    said = stage.hs.say(BOB, room.id, "!reply Hello of Bob")

    async def waits() -> bool:
        found = await rows(stage.database, stage.folder, "SELECT last_error FROM job")
        return sum("not noted yet" in str(row) for row in found) == 1

    await until(waits, "the entry to wait")
    assert room.membership(BOB) == "join"
    async with stage.app.database.transaction("settings") as tx:
        await tx.rooms.set_member(RoomId(queue.id), Mxid(BOB), "join")
    (sent,) = await stage.sent()
    assert "Hello of Bob" in text_of(sent)
    await stage.quiet()
    assert room.membership(BOB) == "join"
    assert said in {each["event_id"] for each in stage.hs.messages(room)}
