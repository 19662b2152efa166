"""What is counted: `!stats` for agents, `!report` for admins."""

from __future__ import annotations

from tests.stage import ALICE, BOB, Stage, mail
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered


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
    assert f"{ALICE}: 0 open, 1 answered" in lines
    assert f"{BOB}: 0 open, 0 answered · away" in lines
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
