"""`!later`: an email leaves when its agent said, unless somebody wrote before."""

from __future__ import annotations

import json
import time

import pytest

from bridge.model.job import loaded
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.servers.smtp import Fault
from tests.stage import ALICE, BOB, Stage, mail, until
from tests.stories.desk import begun

DAY = 86400.0
PLANNED = "!later 2h\nIt is **on** its way."


async def planned(stage: Stage, text: str = PLANNED, **inbox: object) -> Room:
    """A room in which Alice has planned a mail."""
    room = await begun(stage, None, ALICE, BOB, **inbox)
    stage.hs.say(ALICE, room.id, text)
    return room


async def due(stage: Stage) -> float:
    """When the mail that waits is due, seconds from now."""
    jobs = await rows(stage.database, stage.folder, "SELECT * FROM job WHERE kind = 'deliver'")
    return max((float(job["run_after"]) - time.time() for job in jobs), default=0.0)


async def is_due_after(stage: Stage, seconds: float) -> bool:
    return await due(stage) > seconds


async def time_comes(stage: Stage) -> None:
    """Let the time come that was named."""
    (job,) = await rows(stage.database, stage.folder, "SELECT * FROM job WHERE kind = 'deliver'")
    task = loaded("deliver", job["payload"])
    async with stage.app.database.transaction("settings") as tx:
        await tx.deliveries.update(
            json.loads(job["payload"])["delivery"], planned_for=time.time() - 1
        )
        await tx.jobs.reschedule(task, time.time())


def text_of(sent: object) -> str:
    return str(sent.get_body(("plain",)).get_content()).strip()  # type: ignore[attr-defined]  # an EmailMessage


async def test_a_text_leaves_when_it_is_time_and_not_before(stage: Stage) -> None:
    room = await planned(stage)
    status = await stage.sees(room, "⏰ leaves")
    assert "❌ stops it" in status["content"]["body"]
    await stage.quiet_but("deliver")
    assert 1.9 * 3600 < await due(stage) < 2.1 * 3600
    assert stage.smtp.accepted() == []
    await time_comes(stage)
    (sent,) = await stage.sent()
    assert text_of(sent) == "It is **on** its way."
    await stage.sees(room, "✅ sent")


async def test_the_time_is_that_of_the_agents_zone(stage: Stage) -> None:
    stage.hs.zones[ALICE] = "Asia/Tokyo"
    room = await planned(stage, "!later tomorrow 9:00\nHello")
    await stage.sees(room, "09:00 (Asia/Tokyo)")
    assert 0 < await due(stage) < 2 * DAY


async def test_a_message_and_a_draft_leave_later_too(stage: Stage) -> None:
    room = await begun(stage)
    talk = stage.hs.say(ALICE, room.id, "Tell her that it is mended.")
    stage.hs.reply(ALICE, room.id, talk, "!later 3h")
    await stage.sees(room, "⏰ leaves")
    await time_comes(stage)
    (first,) = await stage.sent()
    assert text_of(first) == "Tell her that it is mended."
    await stage.sees(room, "✅ sent")
    stage.hs.say(ALICE, room.id, "!draft As I said")
    await stage.sees(room, "📝 draft")
    await stage.quiet()
    stage.hs.say(ALICE, room.id, "!later 3h")
    await stage.sees(room, "⏰ leaves")
    assert await due(stage) > 2.9 * 3600
    stage.hs.say(ALICE, room.id, "!later 1d")
    await until(lambda: is_due_after(stage, 0.9 * DAY), "it to be planned anew")
    await time_comes(stage)
    assert text_of((await stage.sent(2))[1]) == "As I said"


async def test_it_is_asked_about_where_the_customer_wrote_meanwhile(stage: Stage) -> None:
    room = await planned(stage)
    await stage.sees(room, "⏰ leaves")
    await stage.mail(mail("It works again!", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "It works again!")
    await time_comes(stage)
    told = await stage.sees(room, "Carla Customer wrote after this was planned. Send it? ✅ on its")
    assert told["content"]["m.mentions"] == {"user_ids": [ALICE]}
    await stage.quiet()
    assert stage.smtp.accepted() == []
    stage.hs.say(ALICE, room.id, "!yes")
    (sent,) = await stage.sent()
    assert text_of(sent) == "It is **on** its way."


async def test_it_is_asked_about_where_a_colleague_answered_meanwhile(stage: Stage) -> None:
    room = await planned(stage)
    await stage.sees(room, "⏰ leaves")
    stage.hs.say(BOB, room.id, "!reply I did it.")
    await stage.sees(room, "planned an answer here (⏰ leaves")
    stage.hs.say(BOB, room.id, "!yes")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    await time_comes(stage)
    await stage.sees(room, "answered after this was planned. Send it?")
    stage.hs.say(ALICE, room.id, "!no")
    await stage.sees(room, "nothing was sent")


async def test_a_mail_about_to_leave_is_planned_and_keeps_none_back(stage: Stage) -> None:
    room = await begun(stage, undo=300)
    stage.hs.say(ALICE, room.id, "!reply First")
    status = await stage.sees(room, "❌ stops it")
    stage.hs.reply(ALICE, room.id, status["event_id"], "!later 2d")
    await stage.sees(room, "⏰ leaves")
    await until(lambda: is_due_after(stage, 1.9 * DAY), "the time that was named")
    stage.hs.say(ALICE, room.id, "!reply Second")
    await stage.sees(room, "in 300 s")
    found = await rows(stage.database, stage.folder, "SELECT DISTINCT lane FROM job"
                       " WHERE kind = 'deliver'")  # fmt: skip
    assert len(found) == 2


async def test_it_is_stopped_and_edited_as_any_other(stage: Stage) -> None:
    room = await begun(stage)
    first = stage.hs.say(ALICE, room.id, "!later 2h\nFrist")
    status = await stage.sees(room, "⏰ leaves")
    stage.hs.edit(ALICE, room.id, first, "!later 2h\nFirst")
    await stage.sees(room, "as edited")
    stage.hs.react(ALICE, room.id, status["event_id"], "❌")
    await stage.sees(room, "stopped by Alice, nothing was sent")
    second = stage.hs.say(ALICE, room.id, "!later 2h\nSecond")
    await stage.sees(room, "⏰ leaves")
    await stage.quiet_but("deliver")
    stage.hs.edit(ALICE, room.id, second, "!later 5h\nSecond")
    await stage.sees(room, "the edit changed its time; say it anew")
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_a_planned_mail_that_needs_approval_leaves_after_both(stage: Stage) -> None:
    room = await planned(stage, approval="four-eyes")
    preview = await stage.sees(room, "🔏 waits for ✅ of another agent")
    await stage.quiet()
    stage.hs.react(BOB, room.id, preview["event_id"], "✅")
    await until(lambda: is_due_after(stage, 1.9 * 3600), "the time that was named")
    await stage.sees(room, "⏰ leaves")
    await time_comes(stage)
    await stage.sent()


@pytest.mark.parametrize(("said", "answer"), [
    ("!later", "Say when, like 2d, 3h"), ("!later soon\nText", "Say when, like 2d, 3h"),
    ("!later yesterday\nText", "Say when"), ("!later 2h", "Nothing waits for that here"),
])  # fmt: skip
async def test_what_names_no_time_or_no_mail_is_refused(
    stage: Stage, said: str, answer: str
) -> None:
    room = await planned(stage, said)
    await stage.sees(room, answer)
    await stage.quiet()
    assert stage.smtp.accepted() == []


async def test_nothing_but_its_time_lets_it_leave(stage: Stage) -> None:
    room = await planned(stage, "!later 3d\nHello")
    await stage.sees(room, "⏰ leaves")
    await stage.quiet_but("deliver")
    (job,) = await rows(stage.database, stage.folder, "SELECT * FROM job WHERE kind = 'deliver'")
    async with stage.app.database.transaction("settings") as tx:
        await tx.jobs.reschedule(loaded("deliver", job["payload"]), time.time())
    await until(lambda: is_due_after(stage, 2.9 * DAY), "it to wait again")
    assert stage.smtp.accepted() == []


async def test_a_refusal_for_now_is_no_end_though_it_was_planned_long_ago(stage: Stage) -> None:
    room = await planned(stage, "!later 4d\nHello")
    await stage.sees(room, "⏰ leaves")
    await stage.quiet_but("deliver")
    async with stage.app.database.transaction("settings") as tx:
        await tx.deliveries.update(1, created_at=time.time() - 4 * DAY)
        await tx.conn.execute("UPDATE mail SET at = 0")  # the customer's mail is older still
    stage.smtp.script = [Fault("rcpt", "450 4.2.0 greylisted")]
    await time_comes(stage)
    await stage.sees(room, "⏳ deferred (450")


async def test_a_plan_that_is_refused_changes_nothing(stage: Stage) -> None:
    room = await planned(stage, approval="four-eyes")
    preview = await stage.sees(room, "🔏 waits for ✅ of another agent")
    await stage.quiet()
    stage.hs.reply(ALICE, room.id, preview["event_id"], "!later 5h")
    await stage.sees(room, "Somebody else has to approve this")
    stage.hs.react(BOB, room.id, preview["event_id"], "✅")
    await until(lambda: is_due_after(stage, 1.9 * 3600), "the time that was named")
    assert await due(stage) < 2.1 * 3600


async def test_what_came_while_it_waited_for_approval_is_asked_about(stage: Stage) -> None:
    room = await planned(stage, approval="four-eyes")
    preview = await stage.sees(room, "🔏 waits for ✅ of another agent")
    await stage.mail(mail("Never mind.", message_id="<m2@customer.example>",
                          In_Reply_To="<m1@customer.example>"))  # fmt: skip
    await stage.sees(room, "Never mind.")
    await stage.quiet()
    stage.hs.react(BOB, room.id, preview["event_id"], "✅")
    await until(lambda: is_due_after(stage, 1.9 * 3600), "the time that was named")
    await time_comes(stage)
    await stage.sees(room, "wrote after this was planned. Send it?")
