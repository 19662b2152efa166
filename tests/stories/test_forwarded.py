"""A colleague forwards a customer's mail: who is the contact, who gets the answer, and what of the
colleague's words goes to them: nothing."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ALICE, AUTHSERV, EVE, SUPPORT, Stage, mail
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered

CARLA, BOB = "carla@customer.example", "bob@acme.example"
PASSED = f"{AUTHSERV}; dmarc=pass header.from=acme.example"
TO_CARLA = f"Carla Customer <{CARLA}>"
INTERNAL = ("angry", "dora@", "bob@", "Bob Brown")
"""What is in the colleague's mail and is not for the customer."""


def forward(
    who: str = TO_CARLA, words: str = "My display stays dark.", *, subject: str = "angry woman",
    sender: str = f"Bob Brown <{BOB}>", cc: str = "Dora Doe <dora@acme.example>",
    results: str = PASSED, below: str = "", message_id: str = "<f1@acme.example>",
    reply_to: str = "",
) -> bytes:  # fmt: skip
    headers = {"Cc": cc, "Authentication_Results": results, "Reply_To": reply_to}
    return mail(
        "FYI, she is angry again.\n\n---------- Forwarded message ---------\n"
        f"From: {who}\nDate: Fri, Nov 20, 2026 at 9:12 AM\n"
        f"Subject: Dark display\nTo: <bob@acme.example>\n\n\n{words}\n{below}",
        subject=f"Fwd: {subject}", sender=sender, message_id=message_id,
        **{name: value for name, value in headers.items() if value},
    )  # fmt: skip


async def came(stage: Stage, raw: bytes | None = None, **inbox: object) -> tuple[Room, str]:
    """(the conversation's room, the event of the forwarded mail in it)."""
    room = await begun(stage, raw or forward(), quote=True, authserv_id=AUTHSERV, **inbox)
    shown = await stage.sees(room, "↪ forwarded: ")
    await stage.quiet()
    return room, shown["event_id"]


async def decided(stage: Stage, room: Room, shown: str, text: str = "This conversation is") -> None:
    stage.hs.react(ALICE, room.id, shown, "👤")
    await stage.sees(room, text)
    await stage.quiet()


async def goes_to(stage: Stage, room: Room, to: str) -> EmailMessage:
    """Answer: it leaves unasked, to `to` alone, with nothing that is internal."""
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert (sent["To"], sent["Cc"]) == (to, None)
    for internal in INTERNAL:
        assert internal not in str(sent)
    return sent


async def merged(stage: Stage, into: Room, raw: bytes) -> None:
    """Another mail begins #2, which is merged into #1."""
    await stage.mail(raw)
    room = await stage.conversation(2)
    stage.hs.join(ALICE, room.id)
    await stage.sees(room, "Second words")
    await stage.quiet()
    await answered(stage, room, ALICE, "!merge #1 anyway")
    await stage.sees(into, "Second words")
    await stage.quiet()


async def asked(stage: Stage, room: Room, text: str) -> str:
    stage.hs.say(ALICE, room.id, "!reply Hello")
    status = await stage.sees(room, text)
    await stage.quiet()
    assert stage.smtp.accepted() == []
    return str(status["event_id"])


async def test_the_card_shows_the_customers_words(stage: Stage) -> None:
    room, shown = await came(stage)
    card = await stage.sees(await stage.queue(), "My display stays dark.")
    assert f"↪ forwarded: {TO_CARLA}" in card["content"]["body"]
    assert "FYI" not in card["content"]["body"]
    assert [key for _, key in stage.hs.reactions(room, shown)] == ["👤"]


async def test_a_reply_asks_until_it_is_decided_whose_mail_it_is(stage: Stage) -> None:
    room, shown = await came(stage)
    question = await asked(
        stage, room, f"Bob Brown forwarded that mail of {TO_CARLA}. Send to {BOB}?"
    )
    stage.hs.react(ALICE, room.id, question, "❌")
    await stage.sees(room, "stopped")
    await decided(stage, room, shown, f"This conversation is with {TO_CARLA}. Emails go there")
    assert TO_CARLA in str(room.state["m.room.topic", ""])
    sent = await goes_to(stage, room, TO_CARLA)
    assert sent["Subject"] == "Re: Dark display"  # hers, not the colleague's
    # her answer is hers, though she never wrote here herself
    answer = mail("It works!", message_id="<a2@customer.example>",
                  In_Reply_To=str(sent["Message-ID"]))  # fmt: skip
    await stage.mail(answer)
    await stage.sees(room, "It works!")


async def test_a_yes_answers_the_colleague_and_set_decides_for_them(stage: Stage) -> None:
    room, _ = await came(stage)
    question = await asked(stage, room, "forwarded that mail")
    stage.hs.react(ALICE, room.id, question, "✅")
    (sent,) = await stage.sent()
    assert sent["To"] == f"Bob Brown <{BOB}>"
    assert "she is angry again" in str(sent)
    await answered(stage, room, ALICE, f"!contact set {BOB}")
    await stage.quiet()
    stage.hs.say(ALICE, room.id, "!reply And again")
    await stage.sent(2)


@pytest.mark.parametrize(
    "who", [TO_CARLA, "Carla Customer", "a@x.example on behalf of b@x.example"]
)
async def test_an_address_that_an_agent_sets_gets_nothing_internal_either(
    stage: Stage, who: str
) -> None:
    """Also where the mail does not say whose it was, as Exchange names people only."""
    room = await begun(stage, forward(who, subject="Dark"), quote=True, authserv_id=AUTHSERV)
    await stage.sees(room, "she is angry")
    await stage.quiet()
    await answered(stage, room, ALICE, "!contact set carla@private.example")
    await goes_to(stage, room, "carla@private.example")


@pytest.mark.parametrize("reply_to", ["", "bob.brown@acme.example"])
async def test_what_a_colleague_writes_later_is_not_for_the_customer(
    stage: Stage, reply_to: str
) -> None:
    room, shown = await came(stage, forward(reply_to=reply_to))
    await decided(stage, room, shown)
    later = mail("She is angry, be careful.", sender=f"Bob Brown <{BOB}>", subject="Re: Fwd: Dark",
                 message_id="<f2@acme.example>", In_Reply_To="<f1@acme.example>",
                 Cc="Dora Doe <dora@acme.example>", Authentication_Results=PASSED)  # fmt: skip
    await stage.mail(later)
    await stage.sees(room, "be careful")
    await stage.quiet()
    await goes_to(stage, room, TO_CARLA)


@pytest.mark.parametrize("quoted", [True, False])
async def test_what_stands_below_a_forwarded_mail_is_not_for_the_customer(
    stage: Stage, quoted: bool
) -> None:
    """No program marks where the forwarded mail ends."""
    raw = forward(below="\nShe lies, and is angry.\n-- \nBob Brown, direct +49 30 1234\n")
    if quoted:
        raw = raw.replace(b"\r\n--------", b"\r\n> Begin forwarded message:\r\n> \r\n> x")
    room, shown = await came(stage, raw)
    await decided(stage, room, shown)
    assert "She lies" not in str(await goes_to(stage, room, TO_CARLA))


async def test_a_second_colleagues_forward_goes_to_the_contact_alone(stage: Stage) -> None:
    """It is of the same customer: nothing is to be decided."""
    room, shown = await came(stage)
    await decided(stage, room, shown)
    await merged(stage, room, forward(words="Second words.", sender="Dora Doe <dora@acme.example>",
                                      message_id="<d1@acme.example>", cc=""))  # fmt: skip
    await goes_to(stage, room, TO_CARLA)


async def test_each_forwarded_mail_is_decided_for_itself(stage: Stage) -> None:
    """Another customer's, merged into this conversation, asks anew, and names who would get it."""
    room, shown = await came(stage)
    await decided(stage, room, shown)
    await merged(stage, room, forward("Carl <carl@customer.example>", "Second words.",
                                      message_id="<d1@acme.example>"))  # fmt: skip
    await asked(stage, room, f"that mail of Carl <carl@customer.example>. Send to {CARLA}?")
    stage.hs.say(ALICE, room.id, "!no")
    await stage.sees(room, "stopped")
    copy = await stage.sees(room, "↪ forwarded: Carl <carl@customer.example>")
    await decided(stage, room, copy["event_id"], "This conversation is with Carl")
    await goes_to(stage, room, "Carl <carl@customer.example>")


@pytest.mark.parametrize("by", ["👤", "!contact set"])
async def test_a_forward_in_the_customers_own_conversation_goes_to_them_alone(
    stage: Stage, by: str
) -> None:
    room = await begun(stage, mail(), quote=True, authserv_id=AUTHSERV)
    await merged(stage, room, forward(words="Second words.", cc=""))
    if by == "👤":
        copy = await stage.sees(room, "↪ forwarded")
        await decided(stage, room, copy["event_id"], f"{CARLA} is the contact, and emails go")
    else:
        said = await answered(stage, room, ALICE, f"!contact set {CARLA}")
        assert said == f"{CARLA} is the contact, and emails go there."
    await goes_to(stage, room, TO_CARLA)


@pytest.mark.parametrize("inbox", [{}, {"bcc": ["archive@acme.example"]}])
async def test_a_forward_from_an_inbox_of_ours_has_nobody_to_send_to_before(
    stage: Stage, inbox: dict[str, object]
) -> None:
    room, shown = await came(stage, forward(sender=f"Support <{SUPPORT}>"), **inbox)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    said = await stage.sees(
        room, "👤 on the mail makes Carla Customer the contact; then say it again."
    )
    await stage.quiet()
    assert "sends" not in said["content"]["body"]
    stage.hs.react(ALICE, room.id, said["event_id"], "✅")
    stage.hs.say(ALICE, room.id, "!yes")
    await stage.sees(room, "Nothing waits for that here.")
    stage.hs.react(ALICE, room.id, shown, "👤")
    told = await stage.sees(room, "This conversation is with Carla Customer")
    assert "invalid" not in told["content"]["body"]
    await goes_to(stage, room, TO_CARLA)


async def test_what_was_decided_holds_when_the_configuration_changes(stage: Stage) -> None:
    """The verdict of the mail would be another one now."""
    raw = forward(results=PASSED.replace("pass", "fail"))
    room = await begun(stage, raw, quote=True)
    shown = await stage.sees(room, "↪ forwarded")
    await stage.quiet()
    await decided(stage, room, shown["event_id"])
    await stage.close()
    await stage.open(authserv_id=AUTHSERV, quote=True)
    await goes_to(stage, room, TO_CARLA)


async def test_a_mail_attached_to_the_customers_is_not_what_is_forwarded(stage: Stage) -> None:
    """Else a customer could say whom the answer goes to."""
    outer = message_from_bytes(forward(), policy=policy.default)
    assert isinstance(outer, EmailMessage)
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "Vic <vic@bank.example>", "Invoice"
    inner.set_content("Bank words.")
    outer.make_mixed()
    outer.add_attachment(inner)
    room, shown = await came(stage, outer.as_bytes())
    await decided(stage, room, shown)
    await goes_to(stage, room, TO_CARLA)


@pytest.mark.parametrize(
    ("sender", "result"),
    [("Eve <eve@elsewhere.example>", "pass"), ("Carla <carla@yahoo.example>", "pass"),
     (f"Bob Brown <{BOB}>", "fail")],
)  # fmt: skip
async def test_a_forward_of_a_stranger_offers_nothing(
    stage: Stage, sender: str, result: str
) -> None:
    """Else anybody could say whom we shall write to."""
    raw = forward(sender=sender, cc="", results=PASSED.replace("pass", result))
    room = await begun(stage, raw, authserv_id=AUTHSERV)
    shown = stage.hs.messages(room)[0]
    await stage.quiet()
    assert "↪" not in shown["content"]["body"]
    stage.hs.react(ALICE, room.id, shown["event_id"], "👤")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["To"] == sender
    assert "This conversation is with" not in " ".join(stage.hs.bodies(room))


async def test_a_colleague_whom_nothing_proves_is_named_so(stage: Stage) -> None:
    room, _ = await came(stage, forward(results=""))
    assert f"⚠️ nothing proves that {BOB} wrote this" in stage.hs.bodies(room)[0]


async def test_only_agents_decide(stage: Stage) -> None:
    room, shown = await came(stage)
    stage.hs._member(room, ALICE, EVE, "invite")
    stage.hs.join(EVE, room.id)
    stage.hs.react(EVE, room.id, shown, "👤")
    await stage.quiet()
    assert "This conversation is with" not in " ".join(stage.hs.bodies(room))


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_erasing_finds_who_was_only_forwarded(stage: Stage, elsewhere: bool) -> None:
    """In the colleague's own conversation, and in one of somebody else."""
    if elsewhere:
        room = await begun(stage, mail(sender="Dora <dora@elsewhere.example>"), quote=True)
        await merged(stage, room, forward(words="Second words.", cc=""))
    else:
        room, _ = await came(stage)
    control = await control_room(stage)
    await ask(stage, control, f"!erase {CARLA}", "1")
    await ask(stage, control, "!yes", "Erased: ")
    await stage.quiet()
    queue = await stage.queue()
    said = " ".join((*stage.hs.bodies(room), *stage.hs.bodies(queue)))
    assert CARLA not in said
    assert "words" not in said.replace("!", "")
    left = await rows(stage.database, stage.folder, "SELECT headers FROM mail")
    assert CARLA not in str(left)
