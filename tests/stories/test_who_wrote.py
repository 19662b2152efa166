"""Who wrote a mail, who gets the answer, and who may write into a conversation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.mail.author import author, is_from_us, other_reply_to
from bridge.model import Address
from tests.servers.matrix_state import Room
from tests.stage import ALICE, AUTHSERV, FAILED, PASSED, SUPPORT, Stage, mail
from tests.stories.desk import begun

OWN = frozenset({SUPPORT, "sales@acme.example"})
FORM = {
    "sender": "Acme Website <wordpress@acme.example>",
    "Reply_To": "Carla <carla@yahoo.example>",
}
OURS_PASSED = f"{AUTHSERV}; dmarc=pass header.from=acme.example"


async def asked(stage: Stage, room: Room, question: str, text: str = "!reply Hello") -> str:
    """A reply that has to be asked about: nothing leaves before the yes. Returns the status."""
    stage.hs.say(ALICE, room.id, text)
    status = await stage.sees(room, question)
    await asyncio.sleep(0.2)
    return str(status["event_id"])


@pytest.mark.parametrize(("results", "asks"), [(None, True), (PASSED, False)])
async def test_T04_the_cc_of_a_first_mail_is_judged_like_any_other(
    stage: Stage, results: str | None, asks: bool
) -> None:
    """Asked once: whom we wrote to is new no more."""
    headers = {"Authentication_Results": results} if results else {}
    inbox = {"authserv_id": AUTHSERV} if results else {}
    room = await begun(stage, mail(Cc="dora@elsewhere.example", **headers), **inbox)
    if asks:
        status = await asked(stage, room, "dora@elsewhere.example is new here, named by the last")
        assert stage.smtp.accepted() == []
        stage.hs.react(ALICE, room.id, status, "✅")
    else:
        stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["Cc"] == "dora@elsewhere.example"
    await stage.sees(room, "✅ sent")
    stage.hs.say(ALICE, room.id, "!reply And again")
    await stage.sent(2)


async def test_T04_a_first_mail_that_failed_its_check_brings_nobody_along(stage: Stage) -> None:
    raw = mail(Cc="evil@elsewhere.example", Authentication_Results=FAILED)
    room = await begun(stage, raw, authserv_id=AUTHSERV, undo=3)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "left out, the sender check failed: evil@elsewhere.example")
    await stage.sent()
    assert stage.smtp.accepted()[0]["to"] == ["carla@customer.example"]


async def test_T04_a_mail_without_a_check_is_asked_about_where_one_is_configured(
    stage: Stage,
) -> None:
    room = await begun(stage, mail(Cc="evil@elsewhere.example"), authserv_id=AUTHSERV)
    await asked(stage, room, "evil@elsewhere.example is new here")
    assert stage.smtp.accepted() == []


async def test_T04_the_mail_after_a_conversation_closed_long_ago_is_no_exception(
    stage: Stage,
) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!close")
    await stage.quiet()
    async with stage.app.database.transaction("settings") as tx:
        await tx.conversations.update(1, closed_at=1.0, state="closed")
    await stage.mail(mail("Again", message_id="<m2@customer.example>", Cc="evil@elsewhere.example",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    other = await stage.conversation(2)
    stage.hs.join(ALICE, other.id)
    await stage.sees(other, "Again")
    await asked(stage, other, "evil@elsewhere.example is new here")
    assert stage.smtp.accepted() == []


async def test_T05_a_reply_to_on_the_same_domain_is_followed_only_where_the_check_passed(
    stage: Stage,
) -> None:
    raw = mail(Reply_To="team@customer.example", Authentication_Results=PASSED)
    room = await begun(stage, raw, authserv_id=AUTHSERV)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["To"] == "team@customer.example"
    await stage.mail(mail("Unproven", message_id="<u@customer.example>", subject="Other",
                          Reply_To="thief@customer.example"))  # fmt: skip
    other = await stage.conversation(2)
    stage.hs.join(ALICE, other.id)
    await stage.sees(other, "Unproven")
    await asked(stage, other, "wants its answer at thief@customer.example, not at its sender's")
    assert len(stage.smtp.accepted()) == 1


async def test_a_contact_form_is_a_conversation_with_who_filled_it_in(stage: Stage) -> None:
    room = await begun(stage, mail("My display is dark", subject="New message", **FORM))
    assert "↪ through Acme Website <wordpress@acme.example>" in stage.hs.bodies(room)[0]
    shown = await stage.sees(room, "My display is dark")
    assert shown["sender"] == "@email_carla=40yahoo.example:fake.local"
    topic = room.state["m.room.topic", ""]["content"]["topic"]
    assert topic.startswith("Carla <carla@yahoo.example>")
    await stage.sees(await stage.queue(), "Carla <carla@yahoo.example>")
    status = await asked(stage, room, "came through wordpress@acme.example and names Carla")
    assert stage.smtp.accepted() == []
    stage.hs.react(ALICE, room.id, status, "✅")
    (sent,) = await stage.sent()
    assert sent["To"] == "Carla <carla@yahoo.example>"
    await stage.sees(room, "✅ sent")
    stage.hs.say(ALICE, room.id, "!reply A second one is not asked about")
    await stage.sent(2)
    answer = mail("Thanks!", sender="Carla <carla@yahoo.example>", message_id="<c@yahoo.example>",
                  In_Reply_To=str(sent["Message-ID"]))  # fmt: skip
    await stage.mail(answer)
    await stage.sees(room, "Thanks!")


async def test_a_form_whose_check_passed_is_answered_unasked(stage: Stage) -> None:
    raw = mail(**FORM, Authentication_Results=OURS_PASSED)
    room = await begun(stage, raw, authserv_id=AUTHSERV)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["To"] == "Carla <carla@yahoo.example>"


async def test_a_form_that_a_machine_brings_waits_like_a_persons_mail(stage: Stage) -> None:
    raw = mail("My display is dark", sender="noreply@acme.example", Reply_To="carla@yahoo.example",
               Auto_Submitted="auto-generated")  # fmt: skip
    room = await begun(stage, raw)
    assert "· open" in room.state["m.room.topic", ""]["content"]["topic"]
    status = await asked(stage, room, "names carla@yahoo.example to be answered")
    stage.hs.react(ALICE, room.id, status, "✅")
    (sent,) = await stage.sent()
    assert (sent["To"], sent["In-Reply-To"]) == ("carla@yahoo.example", "<m1@customer.example>")


async def test_what_our_telephone_system_brings_waits_and_its_answers_do_not(stage: Stage) -> None:
    await begun(stage, mail(
        "Please find the recording attached", subject="Voicemail from +49 30 1234",
        sender="pbx@acme.example", Auto_Submitted="auto-generated",
        files=(("message.wav", "audio/wav", b"RIFF"),),
    ))  # fmt: skip
    await stage.mail(mail("I am away", message_id="<m2@x.example>", subject="Away",
                          In_Reply_To="<no@x.example>", sender="pbx@acme.example",
                          Auto_Submitted="auto-replied"))  # fmt: skip
    await stage.conversation(2)
    async with stage.app.database.reading() as tx:
        waiting = [(await tx.conversations.get(number)).waiting_since for number in (1, 2)]
    assert waiting[0] is not None
    assert waiting[1] is None


@pytest.mark.parametrize(
    "sender", [SUPPORT, "Support <support+x@acme.example>", "sales@acme.example"]
)
async def test_an_address_of_ours_is_nobodys_customer(stage: Stage, sender: str) -> None:
    """Neither contact, nor participant, nor recipient, also of another inbox."""
    config = stage.config()
    config["inboxes"]["sales"] = {
        "name": "Sales",
        "address": "sales@acme.example",
        "agents": [ALICE],
    }
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.mail(mail("From ourselves", sender=sender, Cc="Sales <sales@acme.example>"))
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    await stage.sees(room, "From ourselves")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "Nobody to send to; add an address with !to +ADDRESS")
    async with stage.app.database.reading() as tx:
        assert await tx.conversations.participants(1) == frozenset()
    assert stage.smtp.accepted() == []


@pytest.mark.parametrize("stranger", ["other@acme.example", "mallory@evil.example"])
async def test_T01_nobody_of_our_domain_is_vouched_for(stage: Stage, stranger: str) -> None:
    """A machine of ours wrote here; a forged mail of that domain knows the ids."""
    room = await begun(stage, mail(sender="pbx@acme.example", subject="Voicemail"))
    await stage.mail(mail("Let me in", sender=stranger, message_id="<f@evil.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    other = await stage.conversation(2)
    await stage.sees(other, "Let me in")
    assert "Let me in" not in " ".join(stage.hs.bodies(room))
    await stage.sees(await stage.queue(), "claims to belong to #1")


async def test_T01_a_reply_to_alone_makes_nobody_a_participant(stage: Stage) -> None:
    room = await begun(stage, mail(Reply_To="thief@elsewhere.example"))
    await stage.mail(mail("I am in", sender="thief@elsewhere.example", message_id="<t@x.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(await stage.conversation(2), "I am in")
    assert "I am in" not in " ".join(stage.hs.bodies(room))


CAROL, US = Address("carol@customer.example"), Address("Support@acme.example")
TABLE: list[tuple[Address, tuple[Address, ...], Any, str]] = [
    (CAROL, (), None, "carol@customer.example"),
    (CAROL, (CAROL,), None, "carol@customer.example"),
    (CAROL, (US,), None, "carol@customer.example"),
    (CAROL, (Address("x@y.example"), CAROL), None, "carol@customer.example"),
    (CAROL, (Address("x@y.example"),), "x@y.example", "carol@customer.example"),
    (US, (), None, "nobody@invalid"),
    (US, (US,), None, "nobody@invalid"),
    (US, (US, CAROL), None, "nobody@invalid"),
    (US, (CAROL,), "carol@customer.example", "carol@customer.example"),
    (Address("pbx@acme.example"), (), None, "pbx@acme.example"),
    (Address("pbx@acme.example"), (CAROL,), "carol@customer.example", "carol@customer.example"),
]


@pytest.mark.parametrize(("sender", "reply_to", "wanted", "whose"), TABLE)
def test_whose_mail_it_is(
    sender: Address, reply_to: tuple[Address, ...], wanted: str | None, whose: str
) -> None:
    found = other_reply_to(sender, reply_to, OWN)
    assert (found.spec if found else None) == wanted
    assert author(sender, reply_to, OWN).spec == whose


def test_a_free_mail_domain_is_never_ours_alone() -> None:
    own = frozenset({"acme@gmail.com"})
    assert not is_from_us(Address("carla@gmail.com"), own)
    assert is_from_us(Address("acme@gmail.com"), own)
