"""Drafts and approvals: a mail is seen whole before it leaves, and what is seen is what leaves."""

from __future__ import annotations

import aiohttp

from bridge.demo.ports import free_ports
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, BOB, Stage, mail, until
from tests.stories.desk import begun, reacts_at_once

DRAFT, APPROVAL = "📝 draft · ✅ sends it", "🔏 waits for ✅"


async def shown(stage: Stage, room: Room, *texts: str) -> dict[str, str]:
    """The newest preview that holds `texts`; edits of it bring its text up to date."""

    def found() -> dict[str, str] | None:
        for event in reversed(stage.hs.messages(room)):
            body = event["content"].get("body", "")
            if body.startswith(("📝", "🔏")) and all(text in body for text in texts):
                return {"event_id": event["event_id"], "body": body}
        return None

    return await until(found, lambda: f"{texts} in {stage.hs.bodies(room)}")


async def test_a_draft_shows_the_whole_mail_and_a_yes_sends_it(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB, signature="Acme Support")
    stage.hs.say(ALICE, room.id, "!draft Dear Carla,\n**now** it works.")
    draft = await shown(stage, room, DRAFT)
    for part in ("From: Alice from Support <support@acme.example>", "To: carla@customer.example",
                 "Subject: Re: Dark display", "**now** it works.", "Acme Support"):  # fmt: skip
        assert part in draft["body"]
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")
    (sent,) = await stage.sent()
    text = sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text
    assert text.replace("\r\n", "\n").strip() in draft["body"]
    await stage.sees(room, "✅ sent")


async def test_an_edit_changes_the_preview_and_a_no_discards_it(stage: Stage) -> None:
    room = await begun(stage)
    command = stage.hs.say(ALICE, room.id, "!draft Frist try")
    await shown(stage, room, "Frist try")
    stage.hs.edit(ALICE, room.id, command, "!draft First try")
    draft = await shown(stage, room, "First try")
    stage.hs.react(ALICE, room.id, draft["event_id"], "❌")
    await stage.sees(room, "nothing was sent")
    stage.hs.say(ALICE, room.id, "!yes")
    await stage.sees(room, "Nothing waits for that here.")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_draft_edited_into_talk_or_redacted_is_no_draft_any_more(stage: Stage) -> None:
    room = await begun(stage)
    command = stage.hs.say(ALICE, room.id, "!draft Hello")
    await shown(stage, room, "Hello")
    stage.hs.edit(ALICE, room.id, command, "forget it")
    await stage.sees(room, "edited into something else, nothing was sent")
    second = stage.hs.say(ALICE, room.id, "!draft Hello again")
    await shown(stage, room, "Hello again")
    stage.hs.redact(ALICE, room.id, second)
    await stage.sees(room, "the message was taken back, nothing was sent")
    stage.hs.say(ALICE, room.id, "!draft")
    await stage.sees(room, "write the text after !draft")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_an_edit_during_the_undo_time_is_looked_at_again(stage: Stage) -> None:
    room = await begun(stage, undo=60)
    command = stage.hs.say(ALICE, room.id, "!draft One")
    draft = await shown(stage, room, "One")
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    await stage.sees(room, "❌ stops it")
    stage.hs.edit(ALICE, room.id, command, "!draft Two")
    await shown(stage, room, "Two")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_yes_at_the_very_moment_the_preview_is_there_counts(stage: Stage) -> None:
    room = await begun(stage)
    reacts_at_once(stage, ALICE, "📝", "✅")
    stage.hs.say(ALICE, room.id, "!draft Hello")
    await stage.sent()
    await stage.sees(room, "✅ sent")


async def test_an_edit_nobody_heard_of_is_not_sent_unseen(stage: Stage) -> None:
    """Pushes get lost: what leaves is compared with what was shown."""
    room = await begun(stage)
    command = stage.hs.say(ALICE, room.id, "!draft Seen")
    draft = await shown(stage, room, "Seen")
    stage.hs.lose_pushes = True
    stage.hs.edit(ALICE, room.id, command, "!draft Never seen")
    stage.hs.lose_pushes = False
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    again = await shown(stage, room, "Never seen")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.react(ALICE, room.id, again["event_id"], "✅")
    stage.hs.say(ALICE, room.id, "!yes")
    (sent,) = await stage.sent()
    assert "Never seen" in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text


async def test_with_four_eyes_another_agent_has_to_approve(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="four-eyes")
    stage.hs.say(ALICE, room.id, "!reply Dear Carla")
    draft = await shown(stage, room, f"{APPROVAL} of another agent", "Dear Carla")
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    await stage.sees(room, "Somebody else has to approve this: you wrote or sent it.")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")
    await stage.sent()
    await stage.sees(room, "approved by Bob")


async def test_a_draft_is_approved_when_another_agent_says_yes_and_else_waits(
    stage: Stage,
) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="four-eyes")
    stage.hs.say(ALICE, room.id, "!draft Dear Carla")
    draft = await shown(stage, room, DRAFT)
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    await shown(stage, room, APPROVAL)
    stage.hs.say(BOB, room.id, "!yes")
    await stage.sent()


async def test_an_approved_mail_that_is_edited_is_approved_anew(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="four-eyes", undo=60)
    command = stage.hs.say(ALICE, room.id, "!reply Good")
    draft = await shown(stage, room, APPROVAL, "Good")
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")
    await stage.sees(room, "approved by Bob")
    stage.hs.edit(ALICE, room.id, command, "!reply Bad")
    await shown(stage, room, APPROVAL, "Bad")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_leads_approve_and_need_nobody_themselves(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB, approval="leads", leads=[BOB])
    stage.hs.say(ALICE, room.id, "!reply From Alice")
    draft = await shown(stage, room, f"{APPROVAL} of a lead", "From Alice")
    stage.hs.react(ALICE, room.id, draft["event_id"], "✅")
    await stage.sees(room, "A lead has to approve this: Bob.")
    stage.hs.react(BOB, room.id, draft["event_id"], "✅")
    await stage.sent()
    stage.hs.say(BOB, room.id, "!reply From Bob")
    await stage.sees(room, "answered here less than a minute ago")
    stage.hs.say(BOB, room.id, "!yes")
    await stage.sent(2)


async def test_a_draft_that_is_too_large_says_so_and_can_be_discarded(stage: Stage) -> None:
    room = await begun(stage, attachments=1000)
    file = stage.hs.file(ALICE, room.id, "big.pdf", b"x" * 5000, "application/pdf")
    stage.hs.reply(ALICE, room.id, file, "!draft See the file")
    await stage.sees(room, "⚠️ This draft cannot be sent as it is")
    stage.hs.say(ALICE, room.id, "!yes")
    await stage.sees(room, "Look at its preview first")
    stage.hs.say(ALICE, room.id, "!no")
    await stage.sees(room, "nothing was sent")


async def test_the_link_shows_the_draft_as_html_until_it_is_discarded(stage: Stage) -> None:
    (port,) = free_ports(1)
    config = stage.config()
    config["public_url"] = f"http://127.0.0.1:{port}"
    config["public"] = {"port": port}
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!draft **bold** words")
    draft = await shown(stage, room, "With its formatting: http")
    url = draft["body"].rpartition("With its formatting: ")[2].strip()
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/body") as answer:
            assert "<strong>bold</strong> words" in await answer.text()
        async with http.get(url.replace("/draft/", "/mail/")) as answer:
            assert answer.status == 404
        stage.hs.say(ALICE, room.id, "!no")
        await stage.sees(room, "nothing was sent")
        async with http.get(url) as answer:
            assert answer.status == 410
            assert "no such draft" in await answer.text()


async def test_an_answer_of_a_colleague_a_moment_ago_is_asked_about(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    stage.hs.say(ALICE, room.id, "!reply From Alice")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    stage.hs.say(BOB, room.id, "!reply From Bob")
    asked = await stage.sees(room, "Alice answered here less than a minute ago.")
    stage.hs.react(BOB, room.id, asked["event_id"], "✅")
    await stage.sent(2)


async def test_a_mail_that_came_meanwhile_and_was_not_read_is_asked_about(stage: Stage) -> None:
    room = await begun(stage, undo=1.5)
    first = await stage.sees(room, "my display stays dark")
    await stage.hs.receipt(ALICE, room.id, first["event_id"])
    stage.hs.say(ALICE, room.id, "!reply Have you tried the button?")
    await stage.sees(room, "❌ stops it")
    await stage.mail(mail("It works now!", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "you may not have read it. Send?")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.say(ALICE, room.id, "!no")
    news = await stage.sees(room, "It works now!")
    await stage.hs.receipt(ALICE, room.id, news["event_id"])
    stage.hs.say(ALICE, room.id, "!reply Wonderful")
    await stage.sent()


async def test_nobody_but_agents_approves(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!draft Dear Carla")
    draft = await shown(stage, room, DRAFT)
    stage.hs._member(room, ALICE, ADMIN, "invite")
    stage.hs.join(ADMIN, room.id)
    stage.hs.react(ADMIN, room.id, draft["event_id"], "✅")
    stage.hs.say(ADMIN, room.id, "!yes")
    await stage.sees(room, "Only agents of Support can do that")
    await stage.quiet()
    assert stage.smtp.accepted() == []
