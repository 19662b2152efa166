"""Mails to others: forwarding what came and went, and beginning a conversation ourselves."""

from __future__ import annotations

import pytest

from tests.servers.matrix_state import Room
from tests.stage import ALICE, BOB, CUSTOMER, EVE, SUPPORT, Stage, mail
from tests.stories.desk import begun
from tests.stories.test_order import answered

EXPERT = "expert@vendor.example"
PHOTO = ("photo.png", "image/png", b"PNG")


def text_of(sent: object) -> str:
    return str(sent.get_body(("plain",)).get_content()).replace("\r\n", "\n")  # type: ignore[attr-defined]  # an EmailMessage


async def test_a_mail_is_forwarded_with_its_files_and_without_room_talk(stage: Stage) -> None:
    room = await begun(stage, mail(files=(PHOTO,), html="<p>My <b>display</b> stays dark.</p>"))
    stage.hs.say(ALICE, room.id, "I think he is drunk")
    stage.hs.say(ALICE, room.id, f"!forward {EXPERT} Can you help?\nBest, Alice")
    (sent,) = await stage.sent()
    assert sent["To"] == EXPERT
    assert sent["Subject"] == "Fwd: Dark display"
    assert sent["In-Reply-To"] is None
    text = text_of(sent)
    assert text.startswith("Can you help?\nBest, Alice\n\n---------- Forwarded message")
    assert f"From: Carla Customer <{CUSTOMER}>" in text
    assert "Subject: Dark display" in text
    assert [part.get_filename() for part in sent.iter_attachments()] == ["photo.png"]
    assert b"drunk" not in stage.smtp.accepted()[0]["raw"]
    await stage.sees(room, f"→ {EXPERT} · forwards 1 mail")
    await stage.sees(room, f"→ {EXPERT}")
    await stage.quiet()
    assert "open" in room.state["m.room.topic", ""]["content"]["topic"]  # the customer still waits


async def test_whoever_was_asked_answers_into_the_same_room(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, f"!forward {EXPERT}")
    (sent,) = await stage.sent()
    await stage.mail(mail("Replace the cable.", subject="Re: Fwd: Dark display", sender=EXPERT,
                          message_id="<x1@vendor.example>",
                          In_Reply_To=sent["Message-ID"]))  # fmt: skip
    await stage.sees(room, "Replace the cable.")


async def test_all_mails_in_and_out_are_forwarded_in_their_order(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!reply Is it plugged in?")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    await stage.mail(mail("It is.", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "It is.")
    stage.hs.say(ALICE, room.id, f"!forward all {EXPERT}, second@vendor.example")
    sent = (await stage.sent(2))[-1]
    text = text_of(sent)
    order = [text.index(each) for each in ("stays dark", "plugged in?", "It is.")]
    assert order == sorted(order)
    assert sent["To"] == f"{EXPERT}, second@vendor.example"
    await stage.sees(room, "forwards 3 mails")


async def test_the_mail_replied_to_is_the_one_that_is_forwarded(stage: Stage) -> None:
    room = await begun(stage)
    first = await stage.sees(room, "my display stays dark")
    await stage.mail(mail("Second mail", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Second mail")
    stage.hs.reply(ALICE, room.id, first["event_id"], f"!forward {EXPERT}")
    (sent,) = await stage.sent()
    assert "stays dark" in text_of(sent)
    assert "Second mail" not in text_of(sent)


@pytest.mark.parametrize(
    ("said", "answer"),
    [("!forward", "Say to whom"), ("!forward Bob", "Say to whom"), ("!forward all", "Say to whom"),
     (f"!forward {SUPPORT}", "is an inbox of ours"),
     (f"!forward {EXPERT} x", "Only agents")],
)  # fmt: skip
async def test_what_cannot_be_forwarded_is_said_and_nothing_leaves(
    stage: Stage, said: str, answer: str
) -> None:
    room = await begun(stage)
    who = ALICE
    if answer == "Only agents":
        stage.hs._member(room, ALICE, EVE, "invite")
        stage.hs.join(EVE, room.id)
        who = EVE
    assert answer in await answered(stage, room, who, said)
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_forward_to_the_wrong_person_is_mended_by_an_edit(stage: Stage) -> None:
    room = await begun(stage, undo=1)
    command = stage.hs.say(ALICE, room.id, "!forward wrong@vendor.example Hello")
    await stage.sees(room, "→ wrong@vendor.example")
    stage.hs.edit(ALICE, room.id, command, f"!forward {EXPERT} Hello there")
    await stage.sees(room, f"→ {EXPERT}")
    (sent,) = await stage.sent()
    assert sent["To"] == EXPERT
    assert "Hello there" in text_of(sent)


async def test_an_edit_says_whether_all_mails_are_forwarded(stage: Stage) -> None:
    room = await begun(stage, undo=2)
    await stage.mail(mail("Second", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Second")
    one = stage.hs.say(ALICE, room.id, f"!forward {EXPERT} One")
    every = stage.hs.say(ALICE, room.id, f"!forward all {EXPERT} Every")
    await stage.sees(room, f"→ {EXPERT} · in 2 s · ❌ stops it (!undo) · forwards 2 mails")
    stage.hs.edit(ALICE, room.id, one, f"!forward all {EXPERT} One, no, all")
    stage.hs.edit(ALICE, room.id, every, f"!forward {EXPERT} Only the newest")
    sent = {text_of(each).splitlines()[0]: text_of(each) for each in await stage.sent(2)}
    assert set(sent) == {"One, no, all", "Only the newest"}
    assert "my display stays dark" in sent["One, no, all"]
    assert "my display stays dark" not in sent["Only the newest"]
    assert all("Second" in text for text in sent.values())


async def composed(stage: Stage, text: str) -> Room:
    await stage.open()
    queue = await stage.queue(ALICE, BOB)
    said = await answered(stage, queue, ALICE, text)
    assert said == "#1 is begun and yours: its room shows the mail on its way."
    return await stage.conversation()


async def test_a_conversation_begins_with_a_mail_of_ours(stage: Stage) -> None:
    room = await composed(
        stage, f"!compose {EXPERT}, b@vendor.example Order 4711\nDear *all*,\n\nhi"
    )
    (sent,) = await stage.sent()
    assert sent["To"] == f"{EXPERT}, b@vendor.example"
    assert sent["Subject"] == "Order 4711"
    assert text_of(sent).strip() == "Dear *all*,\n\nhi"
    await stage.sees(room, "Alice writes:\n\nDear *all*")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    assert room.membership(ALICE) == "invite"
    topic = room.state["m.room.topic", ""]["content"]["topic"]
    assert topic == f"{EXPERT} · {SUPPORT} · answered · Alice"
    queue = await stage.queue()
    assert any("#1 expert@vendor.example" in body for body in stage.hs.bodies(queue))
    await stage.mail(mail("Thanks!", subject="Re: Order 4711", sender=EXPERT,
                          message_id="<x1@vendor.example>",
                          In_Reply_To=sent["Message-ID"]))  # fmt: skip
    await stage.sees(room, "Thanks!")


@pytest.mark.parametrize(
    "said", ["!compose", "!compose Subject\ntext", f"!compose {EXPERT}\ntext",
             f"!compose {EXPERT} Subject", f"!compose {SUPPORT} Subject\ntext"],
)  # fmt: skip
async def test_a_conversation_that_cannot_begin_is_none(stage: Stage, said: str) -> None:
    await stage.open()
    queue = await stage.queue(ALICE)
    answer = await answered(stage, queue, ALICE, said)
    assert "!compose ADDRESS… SUBJECT" in answer or "is an inbox of ours" in answer
    async with stage.app.database.reading() as tx:
        assert await tx.conversations.numbers("support") == []


async def test_a_paused_inbox_begins_nothing(stage: Stage) -> None:
    await stage.open(smtp=None)
    queue = await stage.queue(ALICE)
    said = await answered(stage, queue, ALICE, f"!compose {EXPERT} Subject\ntext")
    assert "has no outgoing server" in said
    async with stage.app.database.reading() as tx:
        assert await tx.conversations.numbers("support") == []


async def test_the_first_mail_can_be_taken_back_and_mended(stage: Stage) -> None:
    await stage.open(undo=60)
    queue = await stage.queue(ALICE)
    command = stage.hs.say(ALICE, queue.id, f"!compose {EXPERT} Ordre\nDear all")
    room = await stage.conversation()
    await stage.sees(room, "❌ stops it")
    stage.hs.edit(ALICE, queue.id, command, f"!compose {EXPERT} Order\nDear all, hi")
    await stage.sees(room, "as edited")
    await stage.sees(room, "Dear all, hi")
    stage.hs.redact(ALICE, queue.id, command)
    await stage.sees(room, "the message was taken back, nothing was sent")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_with_approval_forwards_and_first_mails_wait_too(stage: Stage) -> None:
    await stage.open(approval="four-eyes")
    queue = await stage.queue(ALICE, BOB)
    stage.hs.say(ALICE, queue.id, f"!compose {EXPERT} Order\nDear all")
    room = await stage.conversation()
    draft = await stage.sees(room, "🔏 waits for ✅ of another agent")
    stage.hs.join(BOB, room.id)
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")
    await stage.sent()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!forward third@vendor.example Look")
    await stage.sees(room, "third@vendor.example")
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 1
