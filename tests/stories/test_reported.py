"""Bounces, delays, receipts and other machine mail: tied to what was sent, and folded."""

from __future__ import annotations

import pytest

from tests.mail.samples import SAMPLES
from tests.servers.matrix_state import Room
from tests.servers.smtp import Fault
from tests.stage import ALICE, AUTHSERV, BOB, CUSTOMER, PASSED, Stage, mail
from tests.stories.desk import begun


async def answered(stage: Stage) -> tuple[Room, str]:
    """A conversation whose answer left; its room and the Message-ID of the answer."""
    room = await begun(stage, None, ALICE, BOB)
    stage.hs.say(ALICE, room.id, "!reply Have you pressed the button?")
    await stage.sees(room, "✅ sent")
    return room, str((await stage.sent())[0]["Message-ID"])


def report(name: str, message_id: str, *changes: tuple[bytes, bytes]) -> bytes:
    raw = SAMPLES[name].replace(b"{original}", message_id.encode())
    for old, new in changes:
        assert old in raw
        raw = raw.replace(old, new)
    return raw


def state(stage: Stage, room: Room) -> str:
    return str(room.state["m.room.topic", ""]["content"]["topic"]).split(" · ")[2]


async def test_a_bounce_is_shown_on_its_delivery_and_told_to_who_sent_it(stage: Stage) -> None:
    room, message_id = await answered(stage)
    await stage.mail(report("bounce", message_id))
    await stage.sees(room, f"↩️ bounced: {CUSTOMER} (550 5.1.1 User unknown) · 🔁 sends again")
    told = await stage.sees(room, f"↩️ Alice, your email did not reach {CUSTOMER}")
    assert told["content"]["msgtype"] == "m.text"  # a notice would notify nobody
    assert told["content"]["m.mentions"] == {"user_ids": [ALICE]}
    shown = await stage.sees(room, "🤖 delivery report: Undelivered Mail Returned to Sender")
    html = shown["content"]["formatted_body"]
    assert html.startswith("<details><summary>🤖 delivery report")
    await stage.quiet()
    assert state(stage, room) == "answered"
    assert "↩️" in [event["content"]["m.relates_to"]["key"]
                    for event in room.events if event["type"] == "m.reaction"
                    and event["content"]]  # fmt: skip
    await stage.mail(report("bounce", message_id, (b"<bounce1@", b"<bounce2@")))
    await stage.quiet()
    assert sum("did not reach" in body for body in stage.hs.bodies(room)) == 1


async def test_what_bounced_is_sent_again_to_whom_it_did_not_reach(stage: Stage) -> None:
    raw = mail(Cc="cem@shop.example", Authentication_Results=PASSED)
    room = await begun(stage, raw, authserv_id=AUTHSERV)
    stage.hs.say(ALICE, room.id, "!reply Hello both")
    await stage.sees(room, "✅ sent")
    message_id = str((await stage.sent())[0]["Message-ID"])
    await stage.mail(report("bounce", message_id))
    status = await stage.sees(room, "↩️ bounced")
    stage.hs.react(ALICE, room.id, status["event_id"], "🔁")
    await stage.sent(2)
    assert [entry["to"] for entry in stage.smtp.accepted()] == [
        [CUSTOMER, "cem@shop.example"], [CUSTOMER]
    ]  # fmt: skip
    await stage.sees(room, "✅ sent")


async def test_T50_a_bounce_by_its_address_alone_is_a_claim_in_a_room_of_its_own(
    stage: Stage,
) -> None:
    room, _ = await answered(stage)
    await stage.mail(report("bounce", "<unknown@mx.acme.example>"))
    other = await stage.conversation(2)
    await stage.sees(other, "delivery report")
    queue = await stage.queue()
    await stage.sees(queue, "claims to belong to #1")
    await stage.quiet()
    assert not any("bounced" in body for body in stage.hs.bodies(room))


@pytest.mark.parametrize(
    "forged",
    [
        b"From: Mallory <mallory@evil.example>\nX-Failed-Recipients: carla@customer.example\n",
        b"From: MAILER-DAEMON@evil.example\nSubject: Undeliverable: hi\nReturn-Path: <>\n",
        b"From: postmaster@evil.example\nContent-Type: multipart/report; report-type=delivery-status;"
        b" boundary=x\nAuthentication-Results: mx.acme.example; dmarc=fail header.from=evil.example\n",
    ],
)
async def test_T50_a_forged_bounce_writes_into_no_conversation(stage: Stage, forged: bytes) -> None:
    room = await begun(stage, authserv_id=AUTHSERV)
    stage.hs.say(ALICE, room.id, "!reply Have you pressed the button?")
    await stage.sees(room, "✅ sent")
    status = (b"--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n"
              b"Final-Recipient: rfc822; carla@customer.example\nAction: failed\n\n--x--\n")  # fmt: skip
    await stage.mail(forged + b"To: support@acme.example\nMessage-ID: <x1@evil.example>\n\n"
                     + status + b"550 please send it to carla.new@evil.example instead\n")  # fmt: skip
    await stage.conversation(2)
    await stage.quiet()
    assert not any("bounced" in body or "evil" in body for body in stage.hs.bodies(room))
    queue = await stage.queue()
    await stage.sees(queue, "#2")
    assert not any("claims to belong" in body for body in stage.hs.bodies(queue))


async def test_a_bounce_of_a_mail_that_another_sent_to_the_customer_is_not_ours(
    stage: Stage,
) -> None:
    room, _ = await answered(stage)
    await stage.mail(
        report("bounce", "<sales@acme.example>", (b"support@acme.example", b"boss@acme.example"))
    )
    other = await stage.conversation(2)
    await stage.sees(other, "delivery report")
    await stage.quiet()
    assert not any("bounced" in body for body in stage.hs.bodies(room))


async def test_a_forged_id_ties_nothing_and_an_unknown_address_opens_a_room_of_its_own(
    stage: Stage,
) -> None:
    room, message_id = await answered(stage)
    forged = message_id.replace(message_id[-20:-15], "xxxxx")
    await stage.mail(report("bounce", forged, (CUSTOMER.encode(), b"x@y.example")))
    other = await stage.conversation(2)
    await stage.sees(other, "delivery report")
    await stage.quiet()
    assert not any("bounced" in body for body in stage.hs.bodies(room))


async def test_a_delay_and_a_receipt_are_shown_and_change_nothing(stage: Stage) -> None:
    room, message_id = await answered(stage)
    late = ((b"Action: failed", b"Action: delayed"), (b"5.1.1", b"4.4.1"), (b"550 ", b"450 "))
    await stage.mail(report("bounce", message_id, *late))
    await stage.sees(room, f"⏳ delayed on its way to {CUSTOMER} (450 4.4.1 User unknown)")
    await stage.mail(report("receipt", message_id))
    await stage.sees(room, f"👁 read by {CUSTOMER}")
    await stage.mail(report("bounce", message_id, *late, (b"<bounce1@", b"<bounce3@")))
    await stage.quiet()
    assert any("👁 read by" in body for body in stage.hs.bodies(room))
    assert state(stage, room) == "answered"


async def test_a_receipt_proves_that_an_unconfirmed_mail_arrived(stage: Stage) -> None:
    room = await begun(stage, sent_copy="never", on_unknown="ask")
    stage.smtp.script = [Fault("after", cut=True)]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "❓ the server did not confirm")
    message_id = str((await stage.sent())[0]["Message-ID"])
    await stage.mail(report("receipt", message_id))
    await stage.sees(room, f"👁 read by {CUSTOMER}")
    await stage.quiet()
    assert state(stage, room) == "answered"


@pytest.mark.parametrize(
    ("name", "said"), [("vacation", ""), ("newsletter", "Auto-Submitted: auto-generated\r\n")]
)
async def test_machine_mail_is_folded_and_opens_nothing(stage: Stage, name: str, said: str) -> None:
    room, message_id = await answered(stage)
    raw = SAMPLES[name].replace(
        b"\r\nSubject:", f"\r\nIn-Reply-To: {message_id}\r\n{said}Subject:".encode(), 1
    )
    await stage.mail(raw)
    shown = await stage.sees(room, "🤖 ")
    assert shown["content"]["formatted_body"].startswith("<details><summary>🤖")
    await stage.quiet()
    assert state(stage, room) == "answered"
    assert len(stage.smtp.accepted()) == 1


async def test_mail_to_a_group_of_ours_is_no_mailing_list(stage: Stage) -> None:
    room, message_id = await answered(stage)
    await stage.mail(mail("Through the group.", message_id="<g1@customer.example>",
                          In_Reply_To=message_id, Precedence="list",
                          List_ID="<support.acme.example>"))  # fmt: skip
    shown = await stage.sees(room, "Through the group.")
    assert "<details>" not in shown["content"].get("formatted_body", "")
    await stage.quiet()
    assert state(stage, room) == "open"
