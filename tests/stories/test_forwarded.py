"""A colleague forwards a customer's mail: who is the contact, and who gets the answer."""

from __future__ import annotations

import pytest

from tests.servers.matrix_state import Room
from tests.stage import ALICE, AUTHSERV, EVE, SUPPORT, Stage, mail
from tests.stories.desk import begun

CARLA, BOB = "carla@customer.example", "bob@acme.example"
FORWARD = mail(
    "FYI, she is angry again.\n\n---------- Forwarded message ---------\n"
    "From: Carla Customer <carla@customer.example>\nDate: Fri, Nov 20, 2026 at 9:12 AM\n"
    "Subject: Dark display\nTo: <bob@acme.example>\n\n\nMy display stays dark.\n",
    subject="Fwd: Dark display",
    sender=f"Bob Brown <{BOB}>",
    Cc="Dora Doe <dora@acme.example>",
    Authentication_Results=f"{AUTHSERV}; dmarc=pass header.from=acme.example",
)


async def forwarded(stage: Stage, raw: bytes = FORWARD, **inbox: object) -> tuple[Room, str]:
    """(the conversation's room, the event of the forwarded mail in it)."""
    room = await begun(stage, raw, authserv_id=AUTHSERV, **inbox)
    shown = await stage.sees(room, "↪ forwarded: Carla Customer <carla@customer.example>")
    await stage.quiet()
    return room, shown["event_id"]


async def test_the_card_shows_the_customers_words(stage: Stage) -> None:
    room, shown = await forwarded(stage)
    card = await stage.sees(await stage.queue(), "My display stays dark.")
    assert "↪ forwarded: Carla Customer <carla@customer.example>" in card["content"]["body"]
    assert "angry" not in card["content"]["body"]
    assert [key for _, key in stage.hs.reactions(room, shown)] == ["👤"]


async def test_a_reply_asks_until_it_is_decided_whose_mail_it_is(stage: Stage) -> None:
    room, shown = await forwarded(stage, quote=True)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    asked = await stage.sees(room, "forwarded that mail of Carla Customer <carla@customer.example>")
    assert f"Send to {BOB}?" in asked["content"]["body"]
    stage.hs.react(ALICE, room.id, asked["event_id"], "❌")
    await stage.sees(room, "stopped")
    assert stage.smtp.accepted() == []
    stage.hs.react(ALICE, room.id, shown, "👤")
    await stage.sees(room, f"This conversation is with Carla Customer <{CARLA}>. Emails go there")
    await stage.quiet()
    assert "Carla Customer <carla@customer.example>" in str(room.state["m.room.topic", ""])
    stage.hs.say(ALICE, room.id, "!reply Hello Carla")
    (sent,) = await stage.sent()
    # what was for the team, and who of it, is not for the customer
    assert (sent["To"], sent["Cc"]) == (f"Carla Customer <{CARLA}>", None)
    assert sent["Subject"] == "Re: Dark display"
    assert "My display stays dark." in str(sent)
    for internal in ("angry", "dora@", "bob@", "Bob Brown"):
        assert internal not in str(sent)
    # her answer is hers, though she never wrote here herself
    answer = mail("It works!", message_id="<a2@customer.example>",
                  In_Reply_To=str(sent["Message-ID"]))  # fmt: skip
    await stage.mail(answer)
    await stage.sees(room, "It works!")


async def test_what_a_colleague_writes_later_is_not_for_the_customer_either(stage: Stage) -> None:
    """A reply to it goes to the contact, who never saw it."""
    room, shown = await forwarded(stage, quote=True)
    stage.hs.react(ALICE, room.id, shown, "👤")
    await stage.sees(room, "This conversation is with Carla Customer")
    later = mail("She is angry, be careful.", sender=f"Bob Brown <{BOB}>", subject="Re: Dark",
                 message_id="<b2@acme.example>", In_Reply_To="<m1@customer.example>")  # fmt: skip
    await stage.mail(later)
    await stage.sees(room, "be careful")
    await stage.quiet()
    stage.hs.say(ALICE, room.id, "!reply Hello Carla")
    (sent,) = await stage.sent()
    assert sent["To"] == f"Carla Customer <{CARLA}>"
    assert "be careful" not in str(sent)


async def test_a_yes_answers_the_colleague_and_set_decides_for_them(stage: Stage) -> None:
    room, _ = await forwarded(stage, quote=True)
    stage.hs.say(ALICE, room.id, "!reply Thank you, Bob")
    asked = await stage.sees(room, "forwarded that mail")
    stage.hs.react(ALICE, room.id, asked["event_id"], "✅")
    (sent,) = await stage.sent()
    assert sent["To"] == f"Bob Brown <{BOB}>"
    assert "she is angry again" in str(sent)
    stage.hs.say(ALICE, room.id, f"!contact set {BOB}")
    await stage.sees(room, f"{BOB} is the contact, and emails go there.")
    await stage.quiet()
    stage.hs.say(ALICE, room.id, "!reply And again")
    await stage.sent(2)


async def test_a_forward_from_an_inbox_of_ours_is_answered_once_it_is_decided(
    stage: Stage,
) -> None:
    """Nobody is its contact before."""
    raw = FORWARD.replace(f"Bob Brown <{BOB}>".encode(), f"Support <{SUPPORT}>".encode())
    raw = raw.replace(b"Cc: Dora", b"X-Cc: Dora")
    room, shown = await forwarded(stage, raw)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "👤 on the mail makes Carla Customer the contact; then say it again.")
    stage.hs.react(ALICE, room.id, shown, "👤")
    said = await stage.sees(room, "This conversation is with Carla Customer")
    assert "invalid" not in said["content"]["body"]
    stage.hs.say(ALICE, room.id, "!reply Hello Carla")
    (sent,) = await stage.sent()
    assert sent["To"] == f"Carla Customer <{CARLA}>"


@pytest.mark.parametrize(
    ("sender", "result"),
    [("Eve <eve@elsewhere.example>", "pass"), ("Carla <carla@yahoo.example>", "pass"),
     (f"Bob Brown <{BOB}>", "fail")],
)  # fmt: skip
async def test_a_forward_of_a_stranger_offers_nothing(
    stage: Stage, sender: str, result: str
) -> None:
    """Else anybody could say whom we shall write to."""
    raw = FORWARD.replace(f"Bob Brown <{BOB}>".encode(), sender.encode())
    raw = raw.replace(b"Cc: Dora", b"X-Cc: Dora").replace(
        b"dmarc=pass", b"dmarc=" + result.encode()
    )
    room = await begun(stage, raw, authserv_id=AUTHSERV)
    shown = stage.hs.messages(room)[0]
    await stage.quiet()
    assert "↪" not in shown["content"]["body"]
    stage.hs.react(ALICE, room.id, shown["event_id"], "👤")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["To"] == sender
    assert "This conversation is with" not in " ".join(stage.hs.bodies(room))


async def test_only_agents_decide(stage: Stage) -> None:
    room, shown = await forwarded(stage)
    stage.hs._member(room, ALICE, EVE, "invite")
    stage.hs.join(EVE, room.id)
    stage.hs.react(EVE, room.id, shown, "👤")
    await stage.quiet()
    assert "This conversation is with" not in " ".join(stage.hs.bodies(room))
