"""Tags, priorities, subjects, lists and what went before: what keeps a desk in order."""

from __future__ import annotations

from typing import Any

from tests.servers.matrix_state import Room
from tests.stage import ALICE, BOB, Stage, mail
from tests.stories.desk import begun


async def answered(stage: Stage, room: Room, who: str, text: str, **content: Any) -> str:
    """Say a command; the answer to it."""
    from tests.stage import until

    event = stage.hs.say(who, room.id, text, **content)

    def found() -> str:
        for each in stage.hs.messages(room):
            relates = each["content"].get("m.relates_to", {}).get("m.in_reply_to", {})
            if relates.get("event_id") == event:
                return str(each["content"]["body"])
        return ""

    return await until(found, lambda: f"an answer to {text!r} in {stage.hs.bodies(room)[-3:]}")


async def test_tags_stand_on_the_card_and_find_it(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    assert await answered(stage, room, ALICE, "!tag") == "No tags."
    assert await answered(stage, room, ALICE, "!tag +Billing vip") == "Tags: billing, vip"
    await stage.sees(queue, "🏷 billing, vip · nobody has taken it")
    assert "🏷 billing, vip" in await answered(stage, queue, ALICE, "!list tag:billing")
    assert await answered(stage, queue, ALICE, "!list tag:bill") == "Support, tag:bill: none."
    assert await answered(stage, room, ALICE, "!tag -vip, +billing") == "Tags: billing"
    assert "is not a valid tag" in await answered(stage, room, ALICE, "!tag +a%b")
    many = " ".join(f"t{n}" for n in range(21))
    assert "20 tags at most" in await answered(stage, room, ALICE, f"!tag {many}")
    assert await answered(stage, room, ALICE, "!tag") == "Tags: billing"


async def test_what_is_urgent_comes_first_in_the_list(stage: Stage) -> None:
    await begun(stage)
    await stage.mail(mail(subject="Second", message_id="<m2@customer.example>"))
    second = await stage.conversation(2)
    stage.hs.join(ALICE, second.id)
    queue = await stage.queue()
    assert "high, normal or low" in await answered(stage, second, ALICE, "!priority now")
    assert await answered(stage, second, ALICE, "!priority high") == "Priority: high"
    await stage.sees(queue, "❗ · nobody has taken it")
    await stage.quiet()
    summary = next(body for body in stage.hs.bodies(queue) if "wait for an answer" in body)
    assert summary.index("#2 Second") < summary.index("#1 Dark display")
    assert await answered(stage, second, ALICE, "!priority") == "Priority: high"


async def test_one_word_or_reaction_makes_it_urgent(stage: Stage) -> None:
    room = await begun(stage)
    await stage.mail(mail(subject="Second", message_id="<m2@customer.example>"))
    await stage.conversation(2)
    queue = await stage.queue()
    assert await answered(stage, room, ALICE, "!urgent") == "#1 has high priority now."
    assert await answered(stage, room, ALICE, "!urgent") == "#1 has high priority already."
    card = await stage.sees(queue, "#2 Carla Customer")
    stage.hs.react(ALICE, queue.id, card["event_id"], "❗")
    await stage.sees(queue, "#2 has high priority now.")
    assert (await answered(stage, queue, ALICE, "!list open")).count("❗") == 2


async def test_a_new_subject_names_the_room_and_what_is_sent(stage: Stage) -> None:
    room = await begun(stage)
    assert "“Broken display, order 4711”" in await answered(
        stage, room, ALICE, "!subject Broken display,\n order 4711"
    )
    stage.hs.say(ALICE, room.id, "!reply Hello")
    (sent,) = await stage.sent()
    assert sent["Subject"] == "Re: Broken display, order 4711"
    await stage.quiet()
    name = room.state["m.room.name", ""]["content"]["name"]
    assert name == "#1 Broken display, order 4711"
    assert await answered(stage, room, ALICE, "!subject") == "Subject: Broken display, order 4711"


async def test_lists_show_what_was_asked_for(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    queue = await stage.queue()
    for number in (2, 3):
        await stage.mail(mail(subject=f"Case {number}", message_id=f"<c{number}@customer.example>"))
        stage.hs.join(ALICE, (await stage.conversation(number)).id)
    stage.hs.say(ALICE, room.id, "!take")
    await stage.sees(room, "#1 is yours.")
    third = await stage.conversation(3)
    stage.hs.say(ALICE, third.id, "!close")
    await stage.sees(third, "Closed.")
    for what, there, gone in (
        ("", "#1 #2", "#3"), ("open", "#1 #2", "#3"), ("mine", "#1", "#2 #3"),
        ("unassigned", "#2", "#1 #3"), ("closed", "#3", "#1 #2"), ("snoozed", "", "#1 #2 #3"),
    ):  # fmt: skip
        said = await answered(stage, queue, ALICE, f"!list {what}".strip())
        assert all(f"{number} " in said for number in there.split()), (what, said)
        assert not any(f"{number} " in said for number in gone.split()), (what, said)
    assert "Support, mine: none." in await answered(stage, queue, BOB, "!list mine")
    assert "Say what to list: open, mine" in await answered(stage, queue, BOB, "!list everything")
    assert "works in the queue room" in await answered(stage, room, ALICE, "!list")


async def test_what_went_before_with_a_contact_and_the_headers_of_a_mail(stage: Stage) -> None:
    room = await begun(stage)
    assert "none." in await answered(stage, room, ALICE, "!history")
    await stage.mail(mail(subject="Another", message_id="<m2@customer.example>"))
    await stage.conversation(2)
    await stage.mail(mail(subject="Stranger", message_id="<s@x.example>", sender="x@x.example"))
    await stage.conversation(3)
    said = await answered(stage, room, ALICE, "!history")
    assert "📬 #2 Another" in said
    assert "Stranger" not in said
    shown = await answered(stage, room, ALICE, "!headers")
    assert "Message-ID: <m1@customer.example>" in shown
    assert "my display stays dark" not in shown
