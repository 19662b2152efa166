"""Who an email goes to: kept, changed, asked about, left out."""

from __future__ import annotations

import asyncio

from tests.stage import ALICE, AUTHSERV, PASSED, Stage, mail, until
from tests.stories.desk import begun


async def test_recipients_are_kept_changed_and_never_our_own(stage: Stage) -> None:
    raw = mail(Cc="Dora <dora@partner.example>, support@acme.example, help@acme.example",
               Authentication_Results=PASSED)  # fmt: skip
    room = await begun(stage, raw, aliases=["help@acme.example"], authserv_id=AUTHSERV)
    stage.hs.say(ALICE, room.id, "!cc +emil@partner.example")
    await stage.sees(room, "Cc: Dora <dora@partner.example>, emil@partner.example")
    stage.hs.say(ALICE, room.id, "!bcc boss@acme.example")
    await stage.sees(room, "Bcc: boss@acme.example")
    stage.hs.say(ALICE, room.id, "!cc -dora@partner.example")
    await until(lambda: "Cc: emil@partner.example" in stage.hs.bodies(room)[-1], "Dora to go")
    stage.hs.say(ALICE, room.id, "!to not-an-address")
    await stage.sees(room, "not-an-address is not a valid email address; nothing was changed")
    stage.hs.say(ALICE, room.id, "!reply Hello all")
    (sent,) = await stage.sent()
    assert sent["Cc"] == "emil@partner.example"
    assert "boss" not in sent.as_string()
    assert stage.smtp.accepted()[0]["to"] == [
        "carla@customer.example", "emil@partner.example", "boss@acme.example"
    ]  # fmt: skip


async def test_a_reply_to_another_domain_is_not_followed_unasked(stage: Stage) -> None:
    room = await begun(stage, mail(Reply_To="thief@elsewhere.example"))
    assert "reply address differs" in stage.hs.bodies(room)[0]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    asked = await stage.sees(room, "That mail wants its answer at thief@elsewhere.example, not at")
    assert stage.smtp.accepted() == []
    stage.hs.react(ALICE, room.id, asked["event_id"], "✅")
    (sent,) = await stage.sent()
    assert sent["To"] == "thief@elsewhere.example"  # as the question says


async def test_a_reply_to_that_an_agent_confirmed_is_followed_and_not_asked_about(
    stage: Stage,
) -> None:
    room = await begun(stage, mail(Reply_To="office@elsewhere.example"))
    stage.hs.say(ALICE, room.id, "!to +office@elsewhere.example -carla@customer.example")
    await stage.sees(room, "To: office@elsewhere.example")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["To"] == "office@elsewhere.example"


async def test_an_inbox_has_its_own_reply_to_and_blind_copies(stage: Stage) -> None:
    room = await begun(stage, reply_to="help@acme.example", bcc=["archive@acme.example"])
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "→ carla@customer.example, bcc archive@acme.example")
    (sent,) = await stage.sent()
    assert sent["Reply-To"] == "help@acme.example"
    assert "archive" not in str(sent)
    assert stage.smtp.accepted()[0]["to"] == ["carla@customer.example", "archive@acme.example"]


async def test_a_reply_quotes_the_mail_from_the_store_and_never_the_room(stage: Stage) -> None:
    room = await begun(stage, mail("It stays dark.\n\n> older words", subject="Re: x"), quote=True)
    stage.hs.say(ALICE, room.id, "internal talk")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    text = sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
    assert "Carla Customer <carla@customer.example> wrote:\r\n> It stays dark.\r\n" in text
    assert "older words" not in str(sent)
    assert "internal talk" not in str(sent)


async def test_a_picture_an_agent_pastes_stands_inside_the_mail(stage: Stage) -> None:
    room = await begun(stage)
    file = stage.hs.file(ALICE, room.id, "image.png", b"PNG" * 50, "image/png", msgtype="m.image")
    stage.hs.react(ALICE, room.id, file, "📧")
    (sent,) = await stage.sent()
    page = sent.get_body(("html",)).get_content()  # type: ignore[union-attr]  # it has one
    (picture,) = [part for part in sent.walk() if part.get_content_type() == "image/png"]
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in page


async def test_a_file_over_the_limit_is_refused_by_name_before_anything_is_sent(
    stage: Stage,
) -> None:
    room = await begun(stage, attachments=1000)
    file = stage.hs.file(ALICE, room.id, "film.mp4", b"x" * 2_000_000, "video/mp4")
    stage.hs.react(ALICE, room.id, file, "📧")
    await stage.sees(room, "film.mp4 has 2 MB: over this inbox's limit of 1 kB")
    small = [stage.hs.file(ALICE, room.id, f"{n}.txt", b"y" * 900, "text/plain") for n in "ab"]
    for each in small:
        stage.hs.react(ALICE, room.id, each, "📎")
        await stage.sees(room, "goes with your next email")
    await stage.quiet()
    stage.hs.say(ALICE, room.id, "!reply with both")
    await stage.sees(room, "❌ failed: a.txt has 900 bytes, and all files 2 kB")
    assert stage.smtp.accepted() == []


async def test_a_new_address_in_a_later_mail_is_asked_about(stage: Stage) -> None:
    room = await begun(stage)
    await stage.mail(
        mail(
            "And copy my colleague.",
            message_id="<m2@customer.example>",
            In_Reply_To="<m1@customer.example>",
            Cc="new@elsewhere.example",
        )
    )
    await stage.sees(room, "also to new@elsewhere.example (new)")
    stage.hs.say(ALICE, room.id, "!reply Hello both")
    asked = await stage.sees(room, "new@elsewhere.example is new here")
    await asyncio.sleep(0.2)
    assert stage.smtp.accepted() == []
    stage.hs.react(ALICE, room.id, asked["event_id"], "✅")
    (sent,) = await stage.sent()
    assert sent["Cc"] == "new@elsewhere.example"


async def test_after_a_failed_sender_check_new_addresses_are_left_out(stage: Stage) -> None:
    room = await begun(stage, authserv_id="mx.acme.example")
    results = "mx.acme.example; dmarc=fail header.from=customer.example"
    await stage.mail(mail("Copy him.", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>", Cc="evil@elsewhere.example",
                          Authentication_Results=results))  # fmt: skip
    await stage.sees(room, "sender check failed")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert "evil" not in sent.as_string()
    await stage.sees(room, "✅ sent")


async def test_T04_a_second_forged_mail_does_not_vouch_for_the_first(stage: Stage) -> None:
    """T4: an address that only unproven mail named stays new."""
    room = await begun(stage, authserv_id="mx.acme.example")
    results = "mx.acme.example; dmarc=fail header.from=customer.example"
    for number in (2, 3):
        await stage.mail(mail(f"Copy him {number}.", message_id=f"<m{number}@customer.example>",
                              In_Reply_To="<m1@customer.example>", Cc="evil@elsewhere.example",
                              Authentication_Results=results))  # fmt: skip
        await stage.sees(room, f"Copy him {number}.")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent()
    assert stage.smtp.accepted()[0]["to"] == ["carla@customer.example"]


async def test_a_reply_to_a_free_mail_neighbour_is_not_followed(stage: Stage) -> None:
    raw = mail(sender="carla@gmail.com", Reply_To="carla.x@gmail.com")
    room = await begun(stage, raw)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    asked = await stage.sees(room, "wants its answer at carla.x@gmail.com")
    stage.hs.react(ALICE, room.id, asked["event_id"], "✅")
    (sent,) = await stage.sent()
    assert sent["To"] == "carla.x@gmail.com"


async def test_an_answer_to_a_third_person_asks_first(stage: Stage) -> None:
    room = await begun(stage)
    await stage.mail(mail("I am her colleague.", sender="dora@customer.example",
                          message_id="<d@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    shown = await stage.sees(room, "I am her colleague")
    assert shown["sender"] == "@email_dora=40customer.example:fake.local"
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "This answers dora@customer.example, not the contact")
    stage.hs.say(ALICE, room.id, "!no")
    await stage.sees(room, "nothing was sent")
    assert stage.smtp.accepted() == []


async def test_one_wrong_address_changes_nothing_and_the_last_word_counts(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!cc +eve@evil.example nonsense")
    await stage.sees(room, "nonsense is not a valid email address; nothing was changed.")
    stage.hs.say(ALICE, room.id, "!cc +bob@partner.example +boss@partner.example")
    stage.hs.say(ALICE, room.id, "!cc -Bob@partner.example")
    stage.hs.say(ALICE, room.id, "!cc -boss@partner.example")
    stage.hs.say(ALICE, room.id, "!bcc +boss@partner.example")
    await stage.sees(room, "Bcc: boss@partner.example")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent()
    assert stage.smtp.accepted()[0]["to"] == ["carla@customer.example", "boss@partner.example"]
