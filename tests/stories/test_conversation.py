"""One conversation from the first mail to the answer, on the fake homeserver."""

from __future__ import annotations

from tests.stage import ALICE, BOB, CUSTOMER, EVE, SUPPORT, Stage, mail, until


async def test_a_mail_becomes_a_card_and_a_room_and_a_reply_an_email(stage: Stage) -> None:
    await stage.open()
    queue = await stage.queue(ALICE)
    await stage.mail(mail(files=(("photo.png", "image/png", b"\x89PNG data"),)))
    card = await stage.sees(queue, "#1 Carla Customer")
    room = await stage.conversation()
    shown = await stage.sees(room, "my display stays dark")
    assert shown["sender"] == "@email_carla=40customer.example:fake.local"
    picture = await stage.sees(room, "photo.png")
    assert stage.hs.media[picture["content"]["url"]] == b"\x89PNG data"

    await until(lambda: stage.hs.reactions(queue, card["event_id"]), "✋ under the card")
    stage.hs.react(ALICE, queue.id, card["event_id"], "✋\ufe0f")
    await stage.sees(queue, "taken by Alice")
    await until(lambda: room.membership(ALICE) == "invite", "the invitation")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "internal: a loose cable, surely")
    stage.hs.say(ALICE, room.id, "!reply Please press the cable **firmly**.")
    (sent,) = await stage.sent()
    assert sent["In-Reply-To"] == "<m1@customer.example>"
    assert sent["To"] == "Carla Customer <carla@customer.example>"
    assert sent["Subject"] == "Re: Dark display"
    assert "internal" not in sent.as_string()
    await stage.sees(room, "✅ sent")

    answer = mail("It works!", message_id="<m2@customer.example>", subject="Re: Dark display",
                  In_Reply_To=str(sent["Message-ID"]))  # fmt: skip
    await stage.mail(answer)
    await stage.sees(room, "It works!")
    assert stage.hs.named("#2 Dark display") is None


async def test_T32_nobody_but_agents_sends_email(stage: Stage) -> None:
    await stage.open()
    queue = await stage.queue(ALICE, BOB)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "stays dark")
    stage.hs.join(BOB, room.id)
    stage.hs.join(ALICE, room.id)
    stage.hs._member(room, ALICE, EVE, "invite")
    stage.hs.join(EVE, room.id)
    stage.hs.say(EVE, room.id, "!reply from an outsider")
    await stage.sees(room, "Only agents of Support can do that")
    stage.hs.leave(BOB, queue.id)
    stage.hs.say(BOB, room.id, "!reply from one who left") if room.membership(BOB) == "join" else 0
    await until(lambda: room.membership(BOB) == "leave", "the ex-agent to be removed")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    assert CUSTOMER not in str(stage.smtp.accepted())
    assert SUPPORT
