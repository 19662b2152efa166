"""Outgoing servers that replace Message-ID, as Amazon SES does: answers still find their room."""

from __future__ import annotations

import itertools
import re

import pytest

from bridge.mail import relay
from bridge.mail.relay import OWN_ID
from bridge.model import MessageId
from bridge.operate import roundtrip
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, SUPPORT, Stage, mail
from tests.stories.desk import begun
from tests.stories.test_reported import report

ID = re.compile(rb"(?im)^Message-ID: (<[^>]+>)\r\n")
SES = "email-smtp"
TOKEN = "0102018f6c2b7a11-3c1d2e4f-0000-4abc-9def-0123456789ab-000000"


class Renaming:
    """A relay that gives mails ids of its own; `tells` is its answer, {} the new id."""

    def __init__(self, tells: str) -> None:
        self._tells = tells
        self._numbers = itertools.count(1)

    def __call__(self, raw: bytes) -> tuple[bytes, str]:
        new = f"<given{next(self._numbers)}@relay.example>"
        return ID.sub(f"Message-ID: {new}\r\n".encode(), raw, count=1), self._tells.format(new)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundtrip, "RETURN", 2.0)
    monkeypatch.setattr(roundtrip, "TAG_RETURN", 0.1)


async def tried(stage: Stage) -> str:
    """The answer to `!inbox test`, by a server that brings mails back."""

    async def back(recipients: list[str], raw: bytes) -> None:
        if SUPPORT in recipients:
            await stage.mail(raw)

    stage.smtp.relay = back
    control = await stage.enter("Postroom control", ADMIN)
    stage.hs.say(ADMIN, control.id, "!inbox test support")
    said = await stage.sees(control, f"Test of support <{SUPPORT}>:")
    return str(said["content"]["body"])


async def answered(stage: Stage) -> tuple[Room, dict[str, str]]:
    """An agent's answer that went through the relay: its room, and its ids as the customer's
    program sees them."""
    room = await begun(stage, sent_copy="never", reply_tokens="never")
    before = len(stage.smtp.accepted())
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    sent = (await stage.sent(before + 1))[-1]
    return room, {name: str(sent.get(name, "")) for name in ("Message-ID", "References", OWN_ID)}


async def test_the_test_knows_its_mail_by_our_header_and_no_room_is_made_of_it(
    stage: Stage,
) -> None:
    stage.smtp.rewrites = Renaming("250 2.0.0 queued as 4711")
    room = await begun(stage, sent_copy="never", reply_tokens="never")
    said = await tried(stage)
    assert "came back after" in said
    assert "names ours in References" in said
    await stage.quiet()
    cards = stage.hs.bodies(await stage.room("Support queue"))
    assert not [body for body in cards if body.startswith("#2 ")]
    before = len(stage.smtp.accepted())
    stage.hs.say(ALICE, room.id, "!reply Hello")
    sent = (await stage.sent(before + 1))[-1]
    own = str(sent[OWN_ID])
    assert str(sent["References"]).split() == [own, "<m1@customer.example>"]
    assert str(sent["Message-ID"]).startswith("<given")
    # the customer's program keeps References, and has never seen our id as Message-ID
    await stage.mail(mail("It works now.", message_id="<m2@customer.example>",
                          In_Reply_To=str(sent["Message-ID"]),
                          References=f"{sent['References']} {sent['Message-ID']}"))  # fmt: skip
    await stage.sees(room, "It works now.")


@pytest.mark.parametrize("told", ["by the answer to the mail", "by a copy that came back"])
async def test_an_answer_that_names_only_the_relays_id_joins(stage: Stage, told: str) -> None:
    by_reply = told == "by the answer to the mail"
    stage.smtp.rewrites = Renaming("250 2.0.0 OK {}" if by_reply else "250 2.0.0 queued")
    room, ids = await answered(stage)
    if not by_reply:
        await stage.mail(stage.smtp.accepted()[-1]["raw"])
        await stage.quiet()
    await stage.mail(mail("From my phone.", message_id="<m2@customer.example>",
                          subject="Re: Dark display", In_Reply_To=ids["Message-ID"]))  # fmt: skip
    await stage.sees(room, "From my phone.")
    stage.hs.say(ALICE, room.id, "!reply Fine")
    sent = (await stage.sent(2))[-1]
    # what the server says of itself counts for all mails, a copy that anybody may send does not
    assert (str(sent["References"]).split()[0] == str(sent[OWN_ID])) is by_reply


async def test_T01_a_forged_copy_teaches_nothing(stage: Stage) -> None:
    stage.smtp.rewrites = Renaming("250 2.0.0 queued")
    room, ids = await answered(stage)
    await stage.mail(mail("Not what you sent.", message_id="<forged@evil.example>",
                          sender=f"Support <{SUPPORT}>", to="eve@evil.example",
                          X_Postroom_ID=ids[OWN_ID]))  # fmt: skip
    other = await stage.conversation(2)
    await stage.sees(other, "nothing proves that one of you sent it")
    await stage.mail(mail("An answer.", message_id="<m2@evil.example>", sender="eve@evil.example",
                          In_Reply_To="<forged@evil.example>"))  # fmt: skip
    await stage.quiet()
    assert not [body for body in stage.hs.bodies(room) if "An answer." in body]


@pytest.mark.parametrize("proof", ["our header", "the answer to the mail"])
async def test_a_bounce_of_the_relays_id_is_known(stage: Stage, proof: str) -> None:
    by_header = proof == "our header"
    stage.smtp.rewrites = Renaming("250 2.0.0 queued" if by_header else "250 2.0.0 OK {}")
    room, ids = await answered(stage)
    more = f"\r\n{OWN_ID}: {ids[OWN_ID]}" if by_header else ""
    await stage.mail(report("bounce", f"{ids['Message-ID']}{more}"))
    await stage.sees(room, "↩️ bounced")


async def test_a_customer_who_repeats_our_header_hides_nothing(stage: Stage) -> None:
    room, ids = await answered(stage)
    await stage.mail(mail("Did you get this?", message_id="<m2@customer.example>",
                          X_Postroom_ID=ids[OWN_ID], In_Reply_To=ids["Message-ID"]))  # fmt: skip
    await stage.sees(room, "Did you get this?")


@pytest.mark.parametrize(
    ("host", "reply", "given"),
    [
        (f"{SES}.eu-west-1.amazonaws.com", f"250 Ok {TOKEN}", f"<{TOKEN}@eu-west-1.amazonses.com>"),
        (f"{SES}.us-east-1.amazonaws.com", f"250 Ok {TOKEN}", f"<{TOKEN}@email.amazonses.com>"),
        (f"{SES}-fips.us-west-2.amazonaws.com", f"250 Ok {TOKEN}",
         f"<{TOKEN}@us-west-2.amazonses.com>"),
        ("smtp.example.com", f"250 Ok {TOKEN}", None),
        ("smtp.example.com", "250 2.0.0 OK <abc@relay.example> [Hostname=x]",
         "<abc@relay.example>"),
        ("smtp.example.com", "250 2.0.0 OK <own@acme.example> queued", None),
        ("smtp.example.com", "250 2.1.5 <Carla@customer.example> accepted", None),
        ("smtp.example.com", "250 OK id=1abCde-0001-AB", None),
        ("smtp.example.com", "found in the Sent folder", None),
        (f"{SES}.eu-west-1.amazonaws.com", "250 Ok", None),
    ],
)  # fmt: skip
def test_the_id_that_a_server_names_in_its_answer(host: str, reply: str, given: str | None) -> None:
    assert (
        relay.given_id(host, reply, MessageId("<own@acme.example>"), {"carla@customer.example"})
        == given
    )
