"""Snoozed, awake, answered, closed: card, topic and list always agree."""

from __future__ import annotations

import time

from bridge.model.job import loaded
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ALICE, CUSTOMER, Stage, mail, until
from tests.stories.desk import begun
from tests.stories.test_order import answered

DAY = 86400.0


async def is_(stage: Stage, room: Room, state: str, card: str) -> None:
    """The topic, the card and the list say so."""

    def topic() -> str:
        return str(room.state["m.room.topic", ""]["content"]["topic"])

    await until(lambda: f" · {state}" in topic(), lambda: f"{state}, not {topic()}")
    await stage.sees(await stage.queue(), card)


async def test_a_conversation_sleeps_until_its_time_and_who_has_it_is_told(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    stage.hs.zones[ALICE] = "Asia/Tokyo"
    stage.hs.say(ALICE, room.id, "!take")
    stage.hs.say(ALICE, room.id, "!snooze soon")
    await stage.sees(room, "Say until when, like 2d, 3h, tomorrow 9:00, monday")
    stage.hs.say(ALICE, room.id, "!snooze tomorrow 9:00")
    await stage.sees(room, "09:00 (Asia/Tokyo). A mail from the customer, or !reopen, wakes it")
    await is_(stage, room, "snoozed", "💤 snoozed until")
    await stage.sees(queue, "nobody waits for an answer")
    (job,) = await rows(stage.database, stage.folder, "SELECT * FROM job WHERE kind = 'wake'")
    assert time.time() < job["run_after"] < time.time() + 2 * DAY
    async with stage.app.database.transaction("settings") as tx:
        await tx.jobs.reschedule(loaded("wake", job["payload"]), time.time())
    told = await stage.sees(room, "⏰ The snooze is over, Alice.")
    assert told["content"]["m.mentions"] == {"user_ids": [ALICE]}
    await is_(stage, room, "open", "taken by Alice")
    await stage.sees(queue, "1 waits for an answer")


async def test_the_customer_wakes_it_and_the_old_alarm_stays_silent(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!snooze 2d")
    await is_(stage, room, "snoozed", "💤")
    await stage.mail(mail("Any news?", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Any news?")
    await is_(stage, room, "open", "press ✋")
    (job,) = await rows(stage.database, stage.folder, "SELECT * FROM job WHERE kind = 'wake'")
    async with stage.app.database.transaction("settings") as tx:
        await tx.jobs.reschedule(loaded("wake", job["payload"]), time.time())
    await stage.quiet()
    assert not any("snooze is over" in body for body in stage.hs.bodies(room))


async def test_an_answer_lets_it_sleep_on_and_closing_ends_the_sleep(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!snooze 2d")
    await is_(stage, room, "snoozed", "💤")
    stage.hs.say(ALICE, room.id, "!reply We look into it.")
    await stage.sees(room, "✅ sent")
    await stage.quiet_but("wake")
    await is_(stage, room, "snoozed", "💤")
    stage.hs.say(ALICE, room.id, "!close")
    await is_(stage, room, "closed", "☑️ closed")
    stage.hs.say(ALICE, room.id, "!reopen")
    await is_(stage, room, "open", "taken by Alice")
    (found,) = await rows(stage.database, stage.folder, "SELECT snoozed_until FROM conversation")
    assert found["snoozed_until"] is None


async def test_a_second_snooze_replaces_the_first(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!snooze 2d")
    await stage.sees(room, "Snoozed until")
    stage.hs.say(ALICE, room.id, "!snooze 3d")
    await until(lambda: sum("Snoozed" in body for body in stage.hs.bodies(room)) == 2, "both")
    first, second = await rows(
        stage.database, stage.folder, "SELECT * FROM job WHERE kind = 'wake' ORDER BY run_after"
    )
    assert second["run_after"] - first["run_after"] > DAY * 0.9
    async with stage.app.database.transaction("settings") as tx:
        await tx.jobs.reschedule(loaded("wake", first["payload"]), time.time())
    await stage.quiet_but("wake")
    await is_(stage, room, "snoozed", "💤")


async def test_spam_is_put_away_and_what_follows_it_tells_nobody(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    stage.hs.say(ALICE, room.id, "!take")
    await is_(stage, room, "open", "taken by Alice")
    stage.hs.say(ALICE, room.id, "!spam")
    await stage.sees(room, "Marked as spam.")
    await is_(stage, room, "spam", "🗑 spam")
    await stage.sees(queue, "nobody waits for an answer")
    stage.hs.say(ALICE, room.id, "!spam")
    await stage.sees(room, "It is spam already.")
    await stage.mail(mail("You have won!", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    shown = await stage.sees(room, "You have won!")
    assert shown["content"]["m.mentions"] == {}
    await is_(stage, room, "spam", "🗑 spam")
    stage.hs.say(ALICE, queue.id, "!list mine")
    await stage.sees(queue, "Support, mine: none.")
    stage.hs.say(ALICE, queue.id, "!list spam")
    await stage.sees(queue, "Support, spam: 1")
    stage.hs.say(ALICE, room.id, "!reopen")
    await is_(stage, room, "open", "taken by Alice")


async def test_close_asks_while_an_email_waits_for_an_answer(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    stage.hs.say(ALICE, room.id, "!draft Not yet")
    await stage.sees(room, "✅ sends it")
    asked = await answered(stage, room, ALICE, "!close")
    assert f"#1 is not closed. A draft to {CUSTOMER} is not sent yet: say !yes or !no" in asked
    card = await stage.sees(queue, "#1 Carla Customer")
    stage.hs.react(ALICE, queue.id, card["event_id"], "✅")
    await stage.sees(queue, "#1 is not closed. A draft")
    assert "State: open" in await answered(stage, room, ALICE, "!info")
    assert "Closed." in await answered(stage, room, ALICE, "!close anyway")
    stage.hs.say(ALICE, room.id, "!no")
    await stage.sees(room, "nothing was sent")
    await answered(stage, room, ALICE, "!reopen")
    assert "Closed." in await answered(stage, room, ALICE, "!close")
