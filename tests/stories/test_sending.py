"""Taking back, editing, attaching, asking: everything between an agent's word and the email."""

from __future__ import annotations

import pytest

from tests.stage import ALICE, BOB, EVE, Stage, mail, until
from tests.stories.desk import begun, waiting

LONG = 60


@pytest.mark.parametrize("how", ["❌", "!undo", "!no", "redaction", "❌ by bob"])
async def test_within_the_undo_time_a_send_can_be_taken_back(stage: Stage, how: str) -> None:
    room = await begun(stage, None, ALICE, BOB, undo=LONG)
    command, status = await waiting(stage, room)
    if how.startswith("❌"):
        stage.hs.react(BOB if "bob" in how else ALICE, room.id, status, "❌")
    elif how == "redaction":
        stage.hs.redact(ALICE, room.id, command)
    else:
        stage.hs.say(ALICE, room.id, how)
    await stage.sees(room, "nothing was sent")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_redacted_mail_reaction_takes_the_send_back(stage: Stage) -> None:
    room = await begun(stage, undo=LONG)
    text = stage.hs.say(ALICE, room.id, "Dear Carla")
    reaction = stage.hs.react(ALICE, room.id, text, "📧")
    await stage.sees(room, "❌ stops it")
    stage.hs.redact(ALICE, room.id, reaction)
    await stage.sees(room, "nothing was sent")
    stage.hs.react(BOB, room.id, text, "x") if room.membership(BOB) == "join" else None
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_an_edit_within_the_undo_time_changes_the_mail(stage: Stage) -> None:
    room = await begun(stage, undo=0.8)
    command, _ = await waiting(stage, room, "!reply Frist draft")
    stage.hs.edit(ALICE, room.id, command, "!reply First draft, corrected")
    await stage.sees(room, "as edited")
    (sent,) = await stage.sent()
    assert "First draft, corrected" in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text


async def test_an_edit_into_something_else_cancels_and_an_edit_never_makes_a_command(
    stage: Stage,
) -> None:
    room = await begun(stage, undo=LONG)
    command, _ = await waiting(stage, room)
    stage.hs.edit(ALICE, room.id, command, "never mind")
    await stage.sees(room, "edited into something else, nothing was sent")
    talk = stage.hs.say(ALICE, room.id, "just talk")
    stage.hs.edit(ALICE, room.id, talk, "!reply now a command?")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_T36_somebody_elses_edit_changes_nothing(stage: Stage) -> None:
    """Synapse accepts edits of others' messages."""
    room = await begun(stage, None, ALICE, BOB, undo=0.5)
    command, _ = await waiting(stage, room, "!reply Mine")
    stage.hs.edit(BOB, room.id, command, "!reply Forged")
    (sent,) = await stage.sent()
    assert "Mine" in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text


async def test_after_sending_an_edit_and_a_redaction_are_too_late(stage: Stage) -> None:
    room = await begun(stage)
    command = stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    stage.hs.edit(ALICE, room.id, command, "!reply Other")
    await stage.sees(room, "Already sent")
    stage.hs.redact(ALICE, room.id, command)
    await stage.sees(room, "Too late: ✅ sent")
    assert len(stage.smtp.accepted()) == 1


async def test_a_second_send_of_one_message_is_answered_with_the_first_ones_status(
    stage: Stage,
) -> None:
    room = await begun(stage, None, ALICE, BOB)
    text = stage.hs.say(ALICE, room.id, "Dear Carla")
    stage.hs.react(ALICE, room.id, text, "📧")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    second = stage.hs.react(BOB, room.id, text, "📧\ufe0f")
    await until(
        lambda: any(
            event["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
            == second
            for event in stage.hs.messages(room)
        ),
        "an answer to the second 📧",
    )
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 1


async def test_two_sends_at_once_make_one_mail(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    text = stage.hs.say(ALICE, room.id, "Dear Carla")
    for agent in (ALICE, BOB):
        stage.hs.react(agent, room.id, text, "📧")
    stage.hs.reply(ALICE, room.id, text, "!send")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 1


async def test_T36_only_words_and_files_of_agents_can_be_sent(stage: Stage) -> None:
    room = await begun(stage)
    shown = await stage.sees(room, "my display stays dark")
    stage.hs.react(ALICE, room.id, shown["event_id"], "📧")
    await stage.sees(room, "not written by an agent; use !reply")
    stage.hs._member(room, ALICE, EVE, "invite")
    stage.hs.join(EVE, room.id)
    talk = stage.hs.say(EVE, room.id, "a guest's words")
    stage.hs.react(ALICE, room.id, talk, "📧")
    stage.hs.react(EVE, room.id, stage.hs.say(ALICE, room.id, "agent's words"), "📧")
    await stage.sees(room, "Only agents of Support")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_pinned_files_go_with_the_agents_next_reply_only(stage: Stage) -> None:
    room = await begun(stage)
    one = stage.hs.file(ALICE, room.id, "one.txt", b"1", "text/plain")
    two = stage.hs.file(ALICE, room.id, "two.txt", b"2", "text/plain")
    stage.hs.reply(ALICE, room.id, one, "!attach")
    pin = stage.hs.react(ALICE, room.id, two, "📎")
    await stage.sees(room, "two.txt goes with your next email")
    stage.hs.redact(ALICE, room.id, pin)
    await stage.quiet()
    stage.hs.say(ALICE, room.id, "!reply With a file")
    await stage.sees(room, "✅ sent")
    stage.hs.say(ALICE, room.id, "!reply Without")
    first, second = await stage.sent(2)
    assert [part.get_filename() for part in first.iter_attachments()] == ["one.txt"]
    assert list(second.iter_attachments()) == []


@pytest.mark.parametrize("text", ["!reply", "!reply   \n "])
async def test_nothing_to_send_is_said_and_nothing_sent(stage: Stage, text: str) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, text)
    await stage.sees(room, "Nothing to send: write the text after !reply.")
    assert stage.smtp.accepted() == []


async def test_a_reply_and_a_decision_stay_within_their_conversation(stage: Stage) -> None:
    """T42: an event of another room is no target here."""
    room = await begun(stage, undo=LONG)
    await stage.mail(mail("Another", sender="dora@else.example", message_id="<d@else.example>"))
    other = await stage.conversation(2)
    theirs = await stage.sees(other, "Another")
    stage.hs.join(ALICE, other.id)
    _, status = await waiting(stage, room)
    stage.hs.reply(ALICE, room.id, theirs["event_id"], "!reply To the wrong one")
    await stage.sees(room, "That mail belongs to another conversation")
    stage.hs.reply(ALICE, other.id, status, "!undo")
    await stage.sees(other, "That belongs to another conversation; nothing was done.")


async def test_a_command_that_arrives_an_hour_late_asks(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.lose_pushes = True
    event = stage.hs.say(ALICE, room.id, "!reply Long ago")
    stage.hs.lose_pushes = False
    late = next(e for e in room.events if e["event_id"] == event)
    late["origin_server_ts"] -= 2 * 3600 * 1000
    stage.hs.pushes.append(late)
    stage.hs.say(ALICE, room.id, "wakes the push")
    await stage.sees(room, "only now arrived. Send it still?")
    stage.hs.say(ALICE, room.id, "!yes")
    await stage.sent()


async def test_a_paused_inbox_sends_nothing(stage: Stage) -> None:
    room = await begun(stage)
    await stage.close()
    config = stage.config(paused=True)
    config["inboxes"]["other"] = {"name": "Other", "address": "o@acme.example"}
    stage.hs.pushes.clear()
    await stage.open(config)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "Inbox Support is paused; nothing was sent")
    assert stage.smtp.accepted() == []


async def test_who_leaves_during_the_undo_time_sends_nothing(stage: Stage) -> None:
    room = await begun(stage, undo=0.6)
    queue = await stage.room("Support queue")
    await waiting(stage, room)
    stage.hs.lose_pushes = True  # we learn of it only by asking
    stage.hs.leave(ALICE, queue.id)
    await stage.sees(room, "not an agent of Support any more, nothing was sent")
    assert stage.smtp.accepted() == []


async def test_a_file_with_a_caption_and_a_removed_one(stage: Stage) -> None:
    room = await begun(stage, undo=0.3)
    event = stage.hs.file(ALICE, room.id, "plan.pdf", b"PDF", "application/pdf")
    content = next(e for e in room.events if e["event_id"] == event)["content"]
    content["body"] = "Here is the plan."
    stage.hs.react(ALICE, room.id, event, "📧")
    (sent,) = await stage.sent()
    assert sent.get_body(("plain",)).get_content().strip() == "Here is the plan."  # type: ignore[union-attr]  # it has a text
    assert [part.get_filename() for part in sent.iter_attachments()] == ["plan.pdf"]
    gone = stage.hs.file(ALICE, room.id, "oops.pdf", b"PDF", "application/pdf")
    stage.hs.reply(ALICE, room.id, gone, "!reply And this")
    await until(lambda: sum("→" in b for b in stage.hs.bodies(room)) == 2, "the status")
    stage.hs.redact(ALICE, room.id, gone)
    await stage.sees(room, "a file of it was removed, nothing was sent")
    stage.hs.reply(ALICE, room.id, gone, "!reply And that")
    await stage.sees(room, "The message you reply to is gone; nothing was sent.")
    assert len(stage.smtp.accepted()) == 1


async def test_talk_quoted_by_a_threads_fallback_does_not_leave(stage: Stage) -> None:
    room = await begun(stage)
    relation = {"rel_type": "m.thread", "event_id": "$t", "is_falling_back": True,
                "m.in_reply_to": {"event_id": "$x"}}  # fmt: skip
    text = stage.hs.say(ALICE, room.id, f"> <{BOB}> CANARY talk\n\nDear Carla",
                        **{"m.relates_to": relation})  # fmt: skip
    stage.hs.react(ALICE, room.id, text, "📧")
    (sent,) = await stage.sent()
    assert "CANARY" not in sent.as_string()
    assert "Dear Carla" in sent.as_string()


async def test_a_mail_that_came_while_the_answer_waited_keeps_the_conversation_open(
    stage: Stage,
) -> None:
    room = await begun(stage, undo=1)
    await waiting(stage, room)
    await stage.mail(mail("And another thing", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "And another thing")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    assert room.state["m.room.topic", ""]["content"]["topic"].count("· open ·") == 1


async def test_a_mail_order_that_was_taken_back_unseen_sends_nothing(stage: Stage) -> None:
    room = await begun(stage, undo=0.5)
    text = stage.hs.say(ALICE, room.id, "Dear Carla")
    order = stage.hs.react(ALICE, room.id, text, "📧")
    await stage.sees(room, "❌ stops it")
    stage.hs.lose_pushes = True
    stage.hs.redact(ALICE, room.id, order)
    await stage.sees(room, "the order to send it was taken back, nothing was sent")
    assert stage.smtp.accepted() == []
