"""Merging, splitting, moving, and who a conversation is with: mails and ids follow."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.model import Number
from tests.servers.matrix_state import DOMAIN, Room
from tests.stage import ALICE, BOB, CUSTOMER, EVE, SALES, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered

PHOTO = ("photo.png", "image/png", b"PNG")
NEW = {"subject": "Another", "message_id": "<m2@customer.example>"}


async def second(stage: Stage, **more: Any) -> Room:
    await stage.mail(mail("The second mail", **{**NEW, **more}))
    room = await stage.conversation(2)
    stage.hs.join(ALICE, room.id)
    await stage.sees(room, "The second mail")
    return room


async def test_a_merged_conversation_goes_on_in_the_other_with_its_mails_and_ids(
    stage: Stage,
) -> None:
    first = await begun(stage)
    room = await second(stage, files=(PHOTO,))
    queue = await stage.queue()
    await answered(stage, room, ALICE, "!tag +vip")
    await stage.quiet()
    assert "This goes on in #1: https://matrix.to" in await answered(
        stage, room, ALICE, "!merge #1"
    )
    await stage.sees(first, "Merged from #2")
    copy = await stage.sees(first, "The second mail")
    await stage.sees(first, "photo.png")
    await stage.sees(queue, "➡️ goes on in #1")
    await stage.sees(queue, "🏷 vip")
    await stage.quiet()
    assert "closed" in room.state["m.room.topic", ""]["content"]["topic"]
    # whatever answers the merged mail comes here, and an answer to its copy answers it
    await stage.mail(
        mail("A third", message_id="<m3@customer.example>", In_Reply_To=NEW["message_id"])
    )
    await stage.sees(first, "A third")
    stage.hs.reply(ALICE, first.id, copy["event_id"], "!reply About the second")
    (sent,) = await stage.sent()
    assert sent["In-Reply-To"] == NEW["message_id"]
    assert "goes on in #1; nothing" in await answered(stage, room, ALICE, "!reply here?")


async def test_an_answer_to_what_we_wrote_before_the_merge_finds_its_way(stage: Stage) -> None:
    first = await begun(stage)
    room = await second(stage)
    stage.hs.say(ALICE, room.id, "!reply Written before")
    (sent,) = await stage.sent()
    await stage.sees(room, "✅ sent")
    await answered(stage, room, ALICE, "!merge 1")
    await stage.sees(first, f"to Carla Customer <{CUSTOMER}>: Re: Another")
    await stage.mail(mail("After all", message_id="<m4@customer.example>",
                          In_Reply_To=sent["Message-ID"]))  # fmt: skip
    await stage.sees(first, "After all")


@pytest.mark.parametrize(
    ("said", "answer"),
    [("!merge", "Say with which"), ("!merge #9", "There is no #9"),
     ("!merge 2", "this conversation itself"),
     ("!merge x", "Say with which"), ("!split", "as a reply to a mail"),
     ("!move", "no other inbox"), ("!contact set x", "x is not a valid email address"),
     ("!contact set support@acme.example", "an inbox of ours"), ("!contact do", "Say !contact"),
     ("!contact name", "Say the name"), ("!contact note", "Say what"),
     ("!contact remove x@y.example", "is not an address of this contact"),
     ("!contact add", "That is not a valid email address")],
)  # fmt: skip
async def test_what_makes_no_sense_changes_nothing(stage: Stage, said: str, answer: str) -> None:
    await begun(stage)
    room = await second(stage)
    assert answer in await answered(stage, room, ALICE, said)


async def test_no_conversation_is_merged_twice_or_while_its_mail_is_on_its_way(
    stage: Stage,
) -> None:
    first = await begun(stage, undo=60)
    room = await second(stage)
    stage.hs.say(ALICE, room.id, "!reply Waits")
    await stage.sees(room, "❌ stops it")
    assert "still on its way" in await answered(stage, room, ALICE, "!merge 1")
    stage.hs.say(ALICE, room.id, "!undo")
    await stage.sees(room, "nothing was sent")
    await answered(stage, room, ALICE, "!merge 1")
    assert "goes on in #1" in await answered(stage, room, ALICE, "!merge 1")
    assert "goes on in #1 itself" in await answered(stage, first, ALICE, "!merge 2")


async def test_a_merge_of_different_people_asks_and_names_both(stage: Stage) -> None:
    await begun(stage)
    room = await second(stage, sender="Dora Doe <dora@other.example>")
    asked = await answered(stage, room, ALICE, "!merge #1")
    assert f"#2 is with Dora Doe <dora@other.example>, #1 with Carla Customer <{CUSTOMER}>" in asked
    await stage.quiet()
    assert "State: open" in await answered(stage, room, ALICE, "!info")
    assert "This goes on in #1" in await answered(stage, room, ALICE, "!merge #1 anyway")


async def test_a_merge_can_be_undone(stage: Stage) -> None:
    first = await begun(stage)
    room = await second(stage, sender="Dora Doe <dora@other.example>", files=(PHOTO,))
    stage.hs.say(ALICE, room.id, "!reply Written before")
    (before,) = await stage.sent()
    await stage.sees(room, "✅ sent")
    await answered(stage, room, ALICE, "!merge #1 anyway")
    copy = await stage.sees(first, "The second mail")
    carlas = await stage.sees(first, "my display stays dark")
    stage.hs.reply(ALICE, first.id, carlas["event_id"], "!reply Written after")
    after = (await stage.sent(2))[1]
    await stage.sees(first, "✅ sent")
    undone = await answered(stage, room, ALICE, "!split")
    assert undone == "This conversation goes on here again, its 2 mails are back from #1."
    await stage.sees(first, "The mails of #2 went back to #2.")
    # its mails and what answers them are here again, what was written after the merge stays
    await stage.mail(mail("Thanks for before", message_id="<m5@other.example>",
                          sender="Dora Doe <dora@other.example>",
                          In_Reply_To=before["Message-ID"]))  # fmt: skip
    await stage.sees(room, "Thanks for before")
    await stage.mail(mail("Thanks for after", message_id="<m6@customer.example>",
                          In_Reply_To=after["Message-ID"]))  # fmt: skip
    await stage.sees(first, "Thanks for after")
    stage.hs.reply(ALICE, first.id, copy["event_id"], "!reply To the copy")
    await stage.sees(first, "That mail belongs to another conversation; nothing was sent.")
    # Dora came with the mails that left: she is no participant of the other conversation
    await stage.mail(mail("Let me in", message_id="<m7@other.example>",
                          sender="Dora Doe <dora@other.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    assert await stage.conversation(3)
    stage.hs.say(ALICE, room.id, "!reply Still yours")
    assert (await stage.sent(3))[2]["In-Reply-To"] == "<m5@other.example>"
    # and it can be merged again
    await stage.quiet()
    assert "This goes on in #1" in await answered(stage, room, ALICE, "!merge #1 anyway")


async def test_a_merge_that_left_nothing_to_take_back_says_so(stage: Stage) -> None:
    first = await begun(stage)
    room = await second(stage)
    await answered(stage, room, ALICE, "!merge #1")
    copy = await stage.sees(first, "The second mail")
    await stage.quiet()
    only = {"m.relates_to": {"m.in_reply_to": {"event_id": copy["event_id"]}}}
    assert "#3, and yours" in await answered(stage, first, ALICE, "!split", **only)
    await stage.quiet()
    assert "None of its mails is in #1" in await answered(stage, room, ALICE, "!split")


async def test_a_merge_undone_gives_back_owner_tags_and_waiting_time(stage: Stage) -> None:
    first = await begun(stage, None, ALICE, BOB)
    room = await second(stage)
    stage.hs.join(BOB, room.id)
    await answered(stage, room, BOB, "!take")
    await answered(stage, room, BOB, "!tag +vip")
    await answered(stage, first, ALICE, "!close")
    async with stage.app.database.reading() as tx:
        before = [await tx.conversations.get(Number(n)) for n in (1, 2)]
    await answered(stage, room, ALICE, "!merge #1")
    await stage.quiet()
    await answered(stage, room, ALICE, "!split")
    await stage.quiet()
    async with stage.app.database.reading() as tx:
        after = [await tx.conversations.get(Number(n)) for n in (1, 2)]
    for was, now in zip(before, after, strict=True):
        assert (now.state, now.assignee, now.tags, now.priority, now.waiting_since) == (
            was.state, was.assignee, was.tags, was.priority, was.waiting_since,
        ), now.number  # fmt: skip


async def test_a_merge_undone_gives_nothing_back_to_who_is_no_agent_any_more(stage: Stage) -> None:
    await begun(stage, None, ALICE, BOB)
    room = await second(stage)
    stage.hs.join(BOB, room.id)
    await answered(stage, room, BOB, "!take")
    await answered(stage, room, ALICE, "!merge #1")
    stage.hs.leave(BOB, (await stage.queue()).id)
    await until(lambda: room.membership(BOB) == "leave", "Bob to be out")
    await stage.quiet()
    await answered(stage, room, ALICE, "!split")
    await stage.quiet()
    assert room.membership(BOB) == "leave"
    assert "not taken" in await answered(stage, room, ALICE, "!info")


async def test_a_merge_is_undone_by_what_it_moved_and_nothing_else(stage: Stage) -> None:
    first = await begun(stage)
    room = await second(stage)
    await answered(stage, room, ALICE, "!merge #1")
    await stage.quiet()
    await answered(stage, room, ALICE, "!split")
    await stage.quiet()
    await answered(stage, first, ALICE, "!merge #2")
    await stage.quiet()
    assert "its mail is back from #2" in await answered(stage, first, ALICE, "!split")
    await stage.quiet()
    async with stage.app.database.reading() as tx:
        held = [len(await tx.mails.of_conversation(Number(n))) for n in (1, 2)]
    assert held == [1, 1]


async def test_a_chain_of_merges_is_undone_from_its_end(stage: Stage) -> None:
    await begun(stage)
    room = await second(stage)
    await stage.mail(mail("The third mail", subject="Third", message_id="<m3@customer.example>"))
    third = await stage.conversation(3)
    stage.hs.join(ALICE, third.id)
    await stage.sees(third, "The third mail")
    await answered(stage, third, ALICE, "!merge #2")
    await stage.quiet()
    await answered(stage, room, ALICE, "!merge #1")
    await stage.quiet()
    assert "#2 goes on in #1 itself" in await answered(stage, third, ALICE, "!split")
    assert "its 2 mails are back from #1" in await answered(stage, room, ALICE, "!split")
    await stage.quiet()
    assert "its mail is back from #2" in await answered(stage, third, ALICE, "!split")


async def test_a_claim_is_answered_by_a_reaction_on_the_card(stage: Stage) -> None:
    first = await begun(stage)
    room = await second(stage, subject="Re: Dark display")
    queue = await stage.queue()
    card = await stage.sees(queue, "claims to belong to #1 · 🔗 merges it")
    await stage.quiet()
    assert (f"@email_bot:{DOMAIN}", "🔗") in stage.hs.reactions(queue, card["event_id"])
    stage.hs.react(ALICE, queue.id, card["event_id"], "🔗")
    await stage.sees(first, "The second mail")
    await stage.sees(room, "This goes on in #1")
    await stage.sees(queue, "➡️ goes on in #1")
    other = next(e for e in stage.hs.messages(queue) if e["content"]["body"].startswith("#1 "))
    stage.hs.react(ALICE, queue.id, other["event_id"], "🔗")
    await stage.sees(queue, "claims to belong to no other")


async def test_a_mail_is_split_into_a_conversation_of_its_own(stage: Stage) -> None:
    room = await begun(stage)
    await stage.mail(mail("By the way, an invoice", subject="Re: Dark display",
                          message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>", files=(PHOTO,)))  # fmt: skip
    news = await stage.sees(room, "an invoice")
    await stage.sees(room, "photo.png")
    mine = {"m.relates_to": {"m.in_reply_to": {"event_id": news["event_id"]}}}
    assert "#2, and yours" in await answered(stage, room, ALICE, "!split", **mine)
    new = await stage.conversation(2)
    await stage.sees(new, "Split from #1")
    await stage.sees(new, "an invoice")
    await stage.sees(new, "photo.png")
    queue = await stage.queue()
    await stage.sees(queue, "#2 Carla Customer")
    await stage.mail(mail("The invoice number is 7", message_id="<m5@customer.example>",
                          In_Reply_To="<m2@customer.example>"))  # fmt: skip
    await stage.sees(new, "The invoice number is 7")
    first = await stage.sees(room, "my display stays dark")
    only = {"m.relates_to": {"m.in_reply_to": {"event_id": first["event_id"]}}}
    assert "the only mail here" in await answered(stage, room, ALICE, "!split", **only)


async def two_inboxes(stage: Stage) -> Room:
    config = stage.config()
    support = {**config["inboxes"]["support"], "agents": [ALICE]}
    sales = {**support, "name": "Sales", "address": SALES, "agents": [BOB]}
    config["inboxes"] = {"support": {**support, "default": True}, "sales": sales}
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.enter("Sales queue", BOB)
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    await stage.sees(room, "my display stays dark")
    await stage.quiet()
    return room


async def test_a_conversation_moves_to_another_team_with_room_and_number(stage: Stage) -> None:
    room = await two_inboxes(stage)
    assert "there are sales@acme.example" in await answered(stage, room, ALICE, "!move nowhere")
    assert "in Support already" in await answered(stage, room, ALICE, "!move support")
    assert "Moved to Sales" in await answered(stage, room, ALICE, f"!move {SALES}")
    await until(lambda: room.membership(ALICE) == "leave", "Alice to be out")
    support, sales = await stage.room("Support queue"), await stage.room("Sales queue")
    await stage.sees(support, "➡️ moved to Sales")
    await stage.sees(sales, "#1 Carla Customer")
    await stage.quiet()
    stage.hs.join(BOB, room.id)
    space = await stage.room("Sales")
    assert space.state["m.space.child", room.id]["content"]["via"]
    old = await stage.room("Support")
    assert old.state["m.space.child", room.id]["content"] == {}
    stage.hs.say(BOB, room.id, "!reply Sales here")
    (sent,) = await stage.sent()
    assert SALES in sent["From"]
    # the customer answers the first mail once more, where they wrote to
    await stage.mail(mail("Are you there?", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Are you there?")
    await stage.mail(mail("And here", to=SALES, message_id="<m3@customer.example>",
                          In_Reply_To=sent["Message-ID"]))  # fmt: skip
    await stage.sees(room, "And here")


async def test_a_forwarded_mail_gets_its_true_contact(stage: Stage) -> None:
    raw = mail("FYI, from Dora", sender="Colleague <colleague@partner.example>")
    room = await begun(stage, raw)
    said = await answered(stage, room, ALICE, "!contact set Dora Doe <dora@customer.example>")
    assert "This conversation is with Dora Doe <dora@customer.example>." in said
    stage.hs.say(ALICE, room.id, "!reply Dear Dora")
    (sent,) = await stage.sent()
    assert "dora@customer.example" in sent["To"]
    assert "colleague" not in str(sent["To"]) + str(sent["Cc"])
    await stage.quiet()
    assert room.state["m.room.topic", ""]["content"]["topic"].startswith("Dora Doe <dora@")
    await stage.mail(mail("I am Dora", sender="dora@customer.example",
                          message_id="<d1@customer.example>",
                          In_Reply_To=sent["Message-ID"]))  # fmt: skip
    await stage.sees(room, "I am Dora")


async def test_what_is_known_of_a_contact_stays_with_them(stage: Stage) -> None:
    room = await begun(stage)
    assert await answered(stage, room, ALICE, "!contact") == (
        f"Carla Customer\n{CUSTOMER}\nConversations here: 1 · !history"
    )
    await answered(stage, room, ALICE, "!contact name Carla C.")
    await answered(stage, room, ALICE, "!contact note Prefers the phone")
    await answered(stage, room, ALICE, "!contact note VIP")
    said = await answered(stage, room, ALICE, "!contact add carla@home.example")
    assert "belongs to them, too" in said
    assert "theirs already" in await answered(stage, room, ALICE, "!contact add Carla@HOME.example")
    other = await second(stage, sender="carla@home.example")
    said = await answered(stage, other, ALICE, "!contact")
    assert said.split("\n") == ["Carla C.", CUSTOMER, "carla@home.example",
                                "Conversations here: 2 · !history", "Notes:",
                                "Prefers the phone", "VIP"]  # fmt: skip
    assert "#1 Dark display" in await answered(stage, other, ALICE, "!history")
    await stage.quiet()
    assert "Carla C. <carla@home" in other.state["m.room.topic", ""]["content"]["topic"]
    assert "contact of this" in await answered(stage, room, ALICE, f"!contact remove {CUSTOMER}")
    assert "any more" in await answered(stage, room, ALICE, "!contact remove carla@home.example")
    assert "cleared" in await answered(stage, room, ALICE, "!contact note -")
    assert "Notes" not in await answered(stage, room, ALICE, "!contact")
    stage.hs._member(room, ALICE, EVE, "invite")
    stage.hs.join(EVE, room.id)
    assert "Only agents" in await answered(stage, room, EVE, "!contact")


async def test_who_is_erased_is_gone_from_the_room_their_mail_was_split_from(stage: Stage) -> None:
    room = await begun(stage)
    await stage.mail(mail("Dora here, xylophone", sender="dora@customer.example",
                          message_id="<d1@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    news = await stage.sees(room, "Dora here")
    mine = {"m.relates_to": {"m.in_reply_to": {"event_id": news["event_id"]}}}
    await answered(stage, room, ALICE, "!split", **mine)
    new = await stage.conversation(2)
    await stage.sees(new, "Dora here")
    control = await control_room(stage)
    await ask(stage, control, "!erase dora@customer.example", "!yes erases")
    await ask(stage, control, "!yes", "Erased")
    await stage.quiet()
    for each in (room, new):
        assert not any("xylophone" in str(event["content"]) for event in each.events), each.id
