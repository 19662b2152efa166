"""What is counted: `!stats` for agents, `!report` for admins."""

from __future__ import annotations

import time

import pytest

from bridge.desk.admin.report import midnight
from bridge.model import InboxId, Number
from tests.stage import ALICE, BOB, SALES, Stage, mail
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered
from tests.stories.test_relocate import two_inboxes


async def test_the_numbers_of_an_inbox(stage: Stage) -> None:
    room = await begun(stage, None, ALICE, BOB)
    await stage.mail(mail(subject="Second", message_id="<m2@customer.example>"))
    await stage.mail(mail(subject="A machine", message_id="<m3@customer.example>",
                          Auto_Submitted="auto-generated"))  # fmt: skip
    await stage.conversation(3)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    await answered(stage, room, ALICE, "!tag +vip")
    queue = await stage.queue()
    await answered(stage, queue, BOB, "!away")
    lines = (await answered(stage, queue, ALICE, "!stats")).split("\n")
    assert lines[0].startswith("Support: ")
    assert lines[1] == "Today: 2 received, 1 answered"
    assert lines[2].startswith("Last 7 days: 2 received · 1 answered · first answer median")
    assert "Alice: 0 open, 1 answered" in lines
    assert "Bob: 0 open, 0 answered · away" in lines
    assert "works in the queue room" in await answered(stage, room, ALICE, "!stats")


async def test_a_report_comes_as_text_table_and_picture(stage: Stage) -> None:
    room = await begun(stage)
    await answered(stage, room, ALICE, "!tag +vip")
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent()
    await stage.sees(room, "✅ sent")
    await answered(stage, room, ALICE, "!close")
    control = await control_room(stage)
    await ask(stage, control, "!report", "Say !report week or !report month.")
    await ask(stage, control, "!report year", "Say !report week or !report month.")
    for period, days in (("week", 7), ("month", 30)):
        await ask(stage, control, f"!report {period}")
        told = await stage.sees(control, f"Last {days} days, ")
        assert "Support: 1 received · 1 answered · first answer median" in told["content"]["body"]
        assert "· vip: 1 received · 1 answered" in told["content"]["body"]
        await stage.sees(control, f"report-{period}-")
        await stage.quiet()
        files = [e["content"] for e in stage.hs.messages(control)
                 if e["content"]["body"].startswith(f"report-{period}-")]  # fmt: skip
        assert [each["msgtype"] for each in files] == ["m.image", "m.file"]
        picture, table = (stage.hs.media[each["url"]] for each in files)
        assert picture.startswith(b"\x89PNG")  # type: ignore[union-attr]  # it was filled
        assert b"Support,vip,1,1," in table  # type: ignore[operator]  # it was filled


@pytest.mark.parametrize(
    ("now", "days"),
    [("2025-04-02 00:30", "27 28 29 30 31 01 02"), ("2025-10-28 23:30", "22 23 24 25 26 27 28")],
)
def test_a_week_has_seven_days_also_when_the_clocks_change(
    monkeypatch: pytest.MonkeyPatch, now: str, days: str
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    at = time.mktime(time.strptime(now, "%Y-%m-%d %H:%M"))
    begins = [midnight(at, back) for back in range(6, -1, -1)]
    assert " ".join(time.strftime("%d", time.localtime(each)) for each in begins) == days
    assert {time.strftime("%H:%M", time.localtime(each)) for each in begins} == {"00:00"}
    monkeypatch.delenv("TZ")
    time.tzset()


async def test_a_first_answer_is_counted_once_and_from_when_the_customer_wrote(
    stage: Stage,
) -> None:
    room = await two_inboxes(stage)
    stage.hs.say(ALICE, room.id, "!reply one")
    await stage.sees(room, "✅ sent")
    await answered(stage, room, ALICE, f"!move {SALES}")
    await stage.quiet()
    stage.hs.join(BOB, room.id)
    stage.hs.say(BOB, room.id, "!reply two")
    await stage.sees(room, "Send this, too?")
    stage.hs.say(BOB, room.id, "!yes")
    await stage.sent(2)
    queue = await stage.queue()
    await answered(stage, queue, ALICE, "!compose x@vendor.example Order\nDear all")
    await stage.sent(3)
    await stage.quiet()
    async with stage.app.database.reading() as tx:
        first = [len(await tx.numbers.first_answers(InboxId(each), 0.0))
                 for each in ("support", "sales")]  # fmt: skip
    assert first == [1, 0]


async def test_a_conversation_that_is_opened_again_waits_only_if_the_customer_had_the_last_word(
    stage: Stage,
) -> None:
    room = await begun(stage)
    await answered(stage, room, ALICE, "!close")
    await answered(stage, room, ALICE, "!reopen")
    async with stage.app.database.reading() as tx:
        assert (await tx.conversations.get(Number(1))).waiting_since is not None
    stage.hs.say(ALICE, room.id, "!reply one")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    await answered(stage, room, ALICE, "!reopen")
    async with stage.app.database.reading() as tx:
        assert (await tx.conversations.get(Number(1))).waiting_since is None
