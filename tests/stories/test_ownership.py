"""Whose conversation it is: taken by two at once, given, given back, dealt out."""

from __future__ import annotations

import pytest

from tests.servers.matrix_state import Room, name_of
from tests.stage import ALICE, BOB, EVE, Stage, mail, until
from tests.stories.desk import begun, reacts_at_once


def owner(stage: Stage, room: Room) -> str:
    """As the topic says it; empty for nobody's."""
    parts = str(room.state["m.room.topic", ""]["content"]["topic"]).split(" · ")
    return parts[3] if len(parts) > 3 else ""


async def has(stage: Stage, room: Room, who: str) -> None:
    name = name_of(who) if who else ""
    await until(lambda: owner(stage, room) == name, lambda: f"{name!r}, not {owner(stage, room)!r}")


async def test_of_two_who_press_the_hand_one_wins_and_the_other_is_told_who(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    queue = await stage.queue()
    card = await stage.sees(queue, "#1 Carla Customer")
    stage.hs.react(ALICE, queue.id, card["event_id"], "✋")
    stage.hs.react(BOB, queue.id, card["event_id"], "✋")
    await stage.sees(queue, "#1 is taken by Alice; !take in its room takes it over.")
    await has(stage, room, ALICE)
    stage.hs.say(BOB, room.id, "!take")
    told = await stage.sees(room, "Bob has taken this over from Alice.")
    assert told["content"]["m.mentions"] == {"user_ids": [ALICE]}
    assert told["content"]["msgtype"] == "m.text"
    await has(stage, room, BOB)
    stage.hs.say(BOB, room.id, "!take")
    await stage.sees(room, "You have it already.")


@pytest.mark.parametrize("said", [BOB, "@bob", "bob", "BOB", "mention"])
async def test_a_conversation_is_given_to_somebody_who_is_told(stage: Stage, said: str) -> None:
    room = await begun(stage, None, ALICE, BOB)
    if said == "mention":  # a pill of Element: the name in the text, the id beside it
        stage.hs.say(ALICE, room.id, "!assign Robert", **{"m.mentions": {"user_ids": [BOB]}})
    else:
        stage.hs.say(ALICE, room.id, f"!assign {said}")
    told = await stage.sees(room, "Bob, Alice gave you this conversation.")
    assert told["content"]["m.mentions"] == {"user_ids": [BOB]}
    await has(stage, room, BOB)
    await stage.sees(await stage.queue(), "taken by Bob")


async def test_it_is_given_to_agents_alone_and_given_back(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    stage.hs.say(ALICE, room.id, "!assign")
    await stage.sees(
        room, "Say to whom: !assign @who. Agents of Support: Alice (@alice), Bob (@bob)."
    )
    stage.hs.say(ALICE, room.id, f"!assign {EVE}")
    await stage.sees(
        room, f"{EVE} is not an agent of Support; its agents are Alice (@alice), Bob (@bob)."
    )
    stage.hs.say(ALICE, room.id, "!unassign")
    await stage.sees(room, "Nobody has it.")
    stage.hs.say(ALICE, room.id, "!assign bob")
    await has(stage, room, BOB)
    stage.hs.say(ALICE, room.id, "!unassign")
    await stage.sees(room, "Alice took this conversation from Bob.")
    await stage.sees(room, "#1 is free: anyone may take it.")
    await has(stage, room, "")


async def test_who_leaves_leaves_their_open_conversations_to_the_others(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    stage.hs.say(BOB, room.id, "!take")
    await has(stage, room, BOB)
    queue = await stage.queue()
    stage.hs.leave(BOB, queue.id)
    await has(stage, room, "")
    await stage.sees(queue, "nobody has taken it")


async def dealt(stage: Stage, count: int) -> list[str]:
    """New conversations, one after the other; whose each became."""
    found = []
    for number in range(1, count + 1):
        await stage.mail(mail(subject=f"Case {number}", message_id=f"<c{number}@customer.example>"))
        room = await stage.conversation(number)
        await stage.sees(room, "")
        found.append(owner(stage, room))
    await stage.quiet()
    return found


async def test_new_conversations_go_round_and_skip_who_is_away(stage: Stage) -> None:
    await stage.open(assign="round-robin")
    queue = await stage.queue(ALICE, BOB)
    await stage.quiet()
    assert await dealt(stage, 4) == ["Alice", "Bob", "Alice", "Bob"]
    first = await stage.conversation(1)
    assert first.membership(ALICE) == "invite"
    stage.hs.say(ALICE, queue.id, "!away")
    await stage.sees(queue, "You are away: no new conversations come to you by themselves.")
    await stage.mail(mail(subject="Case 5", message_id="<c5@customer.example>"))
    await has(stage, await stage.conversation(5), BOB)
    stage.hs.say(ALICE, queue.id, "!back")
    await stage.sees(queue, "Welcome back.")
    stage.hs.say(BOB, queue.id, "!away")
    await stage.quiet()
    await stage.mail(mail(subject="Case 6", message_id="<c6@customer.example>"))
    await has(stage, await stage.conversation(6), ALICE)
    stage.hs.say(ALICE, queue.id, "!away")
    await stage.quiet()
    await stage.mail(mail(subject="Case 7", message_id="<c7@customer.example>"))
    await has(stage, await stage.conversation(7), "")


async def test_new_conversations_go_to_who_has_the_fewest_and_machine_mail_to_nobody(
    stage: Stage,
) -> None:
    await stage.open(assign="least-busy")
    await stage.queue(ALICE, BOB)
    await stage.quiet()
    await stage.mail(mail(subject="News", message_id="<n@customer.example>", List_ID="<x.y>"))
    await has(stage, await stage.conversation(1), "")
    for number, who in ((2, ALICE), (3, BOB)):
        await stage.mail(mail(subject=f"Case {number}", message_id=f"<c{number}@customer.example>"))
        await has(stage, await stage.conversation(number), who)
    room = await stage.conversation(3)
    stage.hs.join(BOB, room.id)
    stage.hs.say(BOB, room.id, "!close")
    await stage.sees(room, "Closed.")
    for number in (4, 5):
        await stage.mail(mail(subject=f"Case {number}", message_id=f"<c{number}@customer.example>"))
        await stage.conversation(number)
    await has(stage, await stage.conversation(4), BOB)
    await stage.quiet()
    owners = [owner(stage, await stage.conversation(n)) for n in (2, 4, 5)]
    assert sorted(owners) in (["Alice", "Alice", "Bob"], ["Alice", "Bob", "Bob"])


async def test_a_hand_at_the_very_moment_the_card_is_there_takes_it(stage: Stage) -> None:
    await stage.open()
    queue = await stage.queue(ALICE)
    reacts_at_once(stage, ALICE, "#1 Carla Customer", "✋")
    await stage.mail(mail())
    await stage.sees(queue, "✋ taken by Alice")
