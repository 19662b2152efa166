"""Taking back, editing, attaching, asking: everything between an agent's word and the email."""

from __future__ import annotations

import asyncio

import pytest

from tests.servers.smtp import Fault
from tests.stage import ALICE, BOB, EVE, Stage, mail, until
from tests.stories.desk import begun

LONG = 60


async def waiting(stage: Stage, room, text: str = "!reply Hello") -> tuple[str, str]:  # type: ignore[no-untyped-def]  # Room
    """A reply within its undo time: (command, status)."""
    command = stage.hs.say(ALICE, room.id, text)
    status = await stage.sees(room, "❌ stops it")
    return command, status["event_id"]


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


async def test_somebody_elses_edit_changes_nothing(stage: Stage) -> None:
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


async def test_only_words_and_files_of_agents_can_be_sent(stage: Stage) -> None:
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
    await stage.sees(room, "Nothing to send: write the text behind !reply.")
    assert stage.smtp.accepted() == []


async def test_recipients_are_kept_changed_and_never_our_own(stage: Stage) -> None:
    raw = mail(Cc="Dora <dora@partner.example>, support@acme.example, help@acme.example")
    room = await begun(stage, raw, aliases=["help@acme.example"])
    stage.hs.say(ALICE, room.id, "!cc +emil@partner.example")
    await stage.sees(room, "Cc: Dora <dora@partner.example>, emil@partner.example")
    stage.hs.say(ALICE, room.id, "!bcc boss@acme.example")
    await stage.sees(room, "Bcc: boss@acme.example")
    stage.hs.say(ALICE, room.id, "!cc -dora@partner.example")
    await until(lambda: "Cc: emil@partner.example" in stage.hs.bodies(room)[-1], "Dora to go")
    stage.hs.say(ALICE, room.id, "!to not-an-address")
    await stage.sees(room, "not-an-address is no email address; nothing was changed")
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
    (sent,) = await stage.sent()
    assert sent["To"] == "Carla Customer <carla@customer.example>"


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


async def test_a_second_forged_mail_does_not_vouch_for_the_first(stage: Stage) -> None:
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


async def test_a_reply_to_a_free_mail_neighbour_is_not_followed(stage: Stage) -> None:
    raw = mail(sender="carla@gmail.com", Reply_To="carla.x@gmail.com")
    room = await begun(stage, raw)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["To"] == "carla@gmail.com"


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


async def test_one_refused_recipient_does_not_hold_the_others(stage: Stage) -> None:
    gone = "gone@partner.example"
    room = await begun(stage, mail(Cc=gone))
    stage.smtp.script = [Fault("rcpt", "550 5.1.1 no such user", recipients=(gone,))]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "not to gone@partner.example (550 5.1.1 no such user)")
    assert stage.smtp.accepted()[0]["to"] == ["carla@customer.example"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("mail", "550 5.7.1 go away"), "❌ failed: 550 5.7.1 go away"),
        (Fault("rcpt", "550 5.1.1 unknown"), "❌ failed: 550 5.1.1 unknown"),
        (Fault("dot", "554 5.6.0 spam"), "❌ failed: 554 5.6.0 spam"),
        (Fault("mail", "451 4.7.1 greylisted"), "⏳ deferred (451 4.7.1 greylisted)"),
        (Fault("banner", "421 too busy"), "⏳ deferred (421 too busy)"),
        (Fault("banner", cut=True), "⏳ deferred ("),
        (Fault("data", "451 no room"), "⏳ deferred (451 no room)"),
        (Fault("dot", cut=True), "❓ the server did not confirm"),
        (Fault("after", cut=True), "❓ the server did not confirm"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.at} {value.answer}",
)
async def test_what_the_server_says_is_told_and_a_retry_sends_once(
    stage: Stage, fault: Fault, text: str
) -> None:
    room = await begun(stage, sent_copy="never")
    stage.smtp.script = [fault]
    command = stage.hs.say(ALICE, room.id, "!reply Hello")
    status = await stage.sees(room, text)
    signs = [key for _, key in stage.hs.reactions(room, command)]
    await until(lambda: [k for _, k in stage.hs.reactions(room, command)], "the sign")
    assert signs in ([], [text[0]])
    before = len(stage.smtp.accepted())
    stage.hs.react(ALICE, room.id, status["event_id"], "🔁")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    assert len(stage.smtp.accepted()) == before + 1
    await until(lambda: [k for _, k in stage.hs.reactions(room, command)] == ["✅"], "✅ alone")


async def test_an_unconfirmed_mail_is_never_sent_again_by_itself(stage: Stage) -> None:
    room = await begun(stage, sent_copy="never")
    stage.smtp.script = [Fault("after", cut=True)]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    status = await stage.sees(room, "❓")
    await stage.quiet()
    stage.hs.react(ALICE, room.id, status["event_id"], "✅")
    await stage.sees(room, "✅ sent")
    assert len(stage.smtp.accepted()) == 1


async def test_by_policy_an_unconfirmed_mail_goes_again_with_the_same_bytes(stage: Stage) -> None:
    room = await begun(stage, on_unknown="retry", sent_copy="never")
    stage.smtp.script = [Fault("after", cut=True)]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "deferred (the server did not confirm)")
    stage.hs.say(ALICE, room.id, "!retry")
    await stage.sees(room, "✅ sent")
    first, second = (entry["raw"] for entry in stage.smtp.accepted())
    assert first == second


async def test_an_unconfirmed_mail_in_the_sent_folder_was_sent(stage: Stage) -> None:
    room = await begun(stage)
    stage.smtp.script = [Fault("after", cut=True)]
    original = stage.app.desk.mailbox.find_sent
    found = []

    async def after_the_provider_kept_it(inbox, message_id):  # type: ignore[no-untyped-def]  # as ports.Mailbox
        if not found:
            found.append(message_id)
            await stage.app.desk.mailbox.append_sent(inbox, stage.smtp.accepted()[0]["raw"])
        return await original(inbox, message_id)

    stage.app.desk.mailbox.find_sent = after_the_provider_kept_it  # type: ignore[method-assign]  # the provider's part
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    assert len(stage.smtp.accepted()) == 1


async def test_deliveries_leave_in_order_but_a_deferred_one_holds_nobody_up(stage: Stage) -> None:
    room = await begun(stage)
    stage.smtp.script = [Fault("mail", "451 later")]
    stage.hs.say(ALICE, room.id, "!reply First")
    stage.hs.say(ALICE, room.id, "!reply Second")
    stage.hs.say(ALICE, room.id, "!reply Third")
    mails = await stage.sent(2)
    texts = [m.get_body(("plain",)).get_content().strip() for m in mails]  # type: ignore[union-attr]  # they have texts
    assert texts == ["Second", "Third"]


async def test_who_leaves_during_the_undo_time_sends_nothing(stage: Stage) -> None:
    room = await begun(stage, undo=0.6)
    queue = await stage.room("Support queue")
    await waiting(stage, room)
    stage.hs.lose_pushes = True  # we learn of it only by asking
    stage.hs.leave(ALICE, queue.id)
    await stage.sees(room, "no agent of Support any more, nothing was sent")
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


async def test_one_wrong_address_changes_nothing_and_the_last_word_counts(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!cc +eve@evil.example nonsense")
    await stage.sees(room, "nonsense is no email address; nothing was changed.")
    stage.hs.say(ALICE, room.id, "!cc +bob@partner.example +boss@partner.example")
    stage.hs.say(ALICE, room.id, "!cc -Bob@partner.example")
    stage.hs.say(ALICE, room.id, "!cc -boss@partner.example")
    stage.hs.say(ALICE, room.id, "!bcc +boss@partner.example")
    await stage.sees(room, "Bcc: boss@partner.example")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent()
    assert stage.smtp.accepted()[0]["to"] == ["carla@customer.example", "boss@partner.example"]


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
