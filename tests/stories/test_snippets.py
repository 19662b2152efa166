"""Standard responses: shown before they leave, per inbox and shared, kept from a message."""

from __future__ import annotations

from tests.stage import ALICE, BOB, Stage, mail
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_drafts import shown
from tests.stories.test_order import answered

THANKS = "Hello {first_name|there},\nthank you for {number}.\n{agent}"


async def test_a_snippet_is_shown_filled_and_sent_by_a_yes(stage: Stage) -> None:
    room = await begun(stage)
    control = await control_room(stage)
    await ask(stage, control, f"!snippet add thanks\n{THANKS}", "is added, for all inboxes")
    stage.hs.say(ALICE, room.id, "!snippet thanks")
    draft = await shown(stage, room, "Hello Carla,\nthank you for #1.\nAlice")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    (sent,) = await stage.sent()
    assert "thank you for #1." in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text


async def test_a_snippet_can_be_sent_at_once_but_never_with_a_gap(stage: Stage) -> None:
    room = await begun(stage, mail(sender="x@customer.example"))
    control = await control_room(stage)
    await ask(stage, control, "!snippet add hi\nHello {first_name}, hi", "is added")
    await ask(stage, control, "!snippet add ok\nHello {first_name|there}, ok", "is added")
    said = await answered(stage, room, ALICE, "!snippet hi send")
    assert said == "Look at it first: the contact's first name is not known here."
    await shown(stage, room, "Hello, hi")
    stage.hs.say(ALICE, room.id, "!snippet ok send")
    (sent,) = await stage.sent()
    status = await stage.sees(room, "✅ sent")  # and the words that no other message shows
    assert status["content"]["body"].endswith("Hello there, ok")
    assert "Hello there, ok" in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text


async def test_the_draft_of_a_snippet_is_reworded_by_an_edit(stage: Stage) -> None:
    room = await begun(stage)
    control = await control_room(stage)
    await ask(stage, control, "!snippet add hi\nHello", "is added")
    command = stage.hs.say(ALICE, room.id, "!snippet hi")
    await shown(stage, room, "Hello")
    stage.hs.edit(ALICE, room.id, command, "!draft Hello, dear Carla")
    draft = await shown(stage, room, "Hello, dear Carla")
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    (sent,) = await stage.sent()
    assert "dear Carla" in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text


async def test_a_snippet_that_changes_meanwhile_leaves_as_it_was_shown(stage: Stage) -> None:
    room = await begun(stage)
    control = await control_room(stage)
    await ask(stage, control, "!snippet add hi\nOld words", "is added")
    stage.hs.say(ALICE, room.id, "!snippet hi")
    draft = await shown(stage, room, "Old words")
    await ask(stage, control, "!snippet edit hi\nNew words", "is changed")
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    (sent,) = await stage.sent()
    assert "Old words" in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text


async def test_a_snippet_is_kept_from_a_message_of_an_agent(stage: Stage) -> None:
    room = await begun(stage)
    theirs = await stage.sees(room, "my display stays dark")
    message = stage.hs.say(ALICE, room.id, "!reply Press the button.")
    await stage.sent()
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": message}}}
    said = await answered(stage, room, ALICE, "!snippet add Button", **reply)
    assert "!snippet button shows it" in said
    assert "already; an admin" in await answered(stage, room, ALICE, "!snippet add button", **reply)
    assert "button:\nPress the button." in await answered(stage, room, ALICE, "!snippets button")
    other = {"m.relates_to": {"m.in_reply_to": {"event_id": theirs["event_id"]}}}
    for more, text in (({}, "!snippet add x"), (other, "!snippet add x")):
        assert "an agent's message" in await answered(stage, room, ALICE, text, **more)
    assert "no name for a snippet" in await answered(
        stage, room, ALICE, "!snippet add a b", **reply
    )


async def test_what_is_no_snippet_is_said_with_what_there_is(stage: Stage) -> None:
    room = await begun(stage)
    queue, control = await stage.queue(), await control_room(stage)
    assert "No snippets yet" in await answered(stage, queue, ALICE, "!snippets")
    assert "There are none yet" in await answered(stage, room, ALICE, "!snippet")
    await ask(stage, control, "!snippet add Hi\nHello\nagain", "Snippet hi is added")
    assert await answered(stage, queue, ALICE, "!snippets") == "hi: Hello again"
    assert "no snippet ho; there are hi." in await answered(stage, room, ALICE, "!snippet ho")
    assert "no snippet ho" in await answered(stage, queue, ALICE, "!snippets ho")
    assert "Say which" in await answered(stage, room, ALICE, "!snippet hi now")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_admins_write_snippets_for_all_or_for_one(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    control = await control_room(stage)
    await ask(stage, control, "!snippet list", "No snippets yet", "{first_name|there}")
    await ask(stage, control, "!snippet add hi\nShared", "is added, for all inboxes")
    await ask(stage, control, "!snippet add hi support\nOwn", "is added, for inbox support")
    assert "hi:\nOwn" in await answered(stage, room, ALICE, "!snippets hi")
    await ask(stage, control, "!snippet add hi\nAgain", "There is a snippet hi already")
    await ask(stage, control, "!snippet list", "hi · all inboxes · Shared", "hi · support · Own")
    await ask(stage, control, "!snippet remove hi support", "Snippet hi is removed")
    assert "hi:\nShared" in await answered(stage, room, ALICE, "!snippets hi")
    for wrong, why in (
        ("!snippet add x", "needs a text"), ("!snippet add x sales\nHi", "no inbox sales"),
        ("!snippet add x\n{firstname}", "{firstname} is no variable; there are {first_name}"),
        ("!snippet edit nope\nHi", "no snippet nope of all inboxes"), ("!snippet", "Say one of"),
        ("!snippet remove nope", "no snippet nope"), ("!snippet add a b c\nHi", "Say its name"),
        ("!snippet add remove\nHi", "no name"), ("!snippet add x\n" + "a" * 20_001, "at most"),
    ):  # fmt: skip
        await ask(stage, control, wrong, why)
    await ask(stage, control, "!audit", "removed snippet hi")


async def test_a_snippet_may_speak_of_passwords(stage: Stage) -> None:
    await begun(stage)
    control = await control_room(stage)
    await ask(stage, control, "!snippet add reset\nTo reset your password, click.", "is added")
    await stage.quiet()
    assert any("reset your password" in body for body in stage.hs.bodies(control))
