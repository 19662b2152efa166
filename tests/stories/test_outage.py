"""Outgoing servers that let nobody in or are away: mails wait together, admins are told once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bridge.desk.admin import status
from bridge.model.task import TrySending
from tests.servers.matrix_state import Room
from tests.servers.smtp import Fault
from tests.stage import ADMIN, ALICE, PASSWORD, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_inbox import empty, set_up

TOLD = "Support: no mail can be sent since"
AGAIN = "Support: mail can be sent again."


def with_password(stage: Stage) -> dict[str, Any]:
    """The outgoing server of an inbox, with a log-in."""
    return {
        "host": "127.0.0.1", "port": stage.smtp.port, "tls": "none", "user": SUPPORT,
        "password": PASSWORD,
    }  # fmt: skip


async def answers_wait(stage: Stage, count: int = 3) -> tuple[Room, list[Room]]:
    """Answers in conversations of their own that an outgoing server keeps back: the control room,
    and the rooms of the conversations."""
    await stage.open(smtp=with_password(stage), sent_copy="never")
    control = await control_room(stage)
    await stage.queue(ALICE)
    rooms = []
    for number in range(1, count + 1):
        who = f"c{number}@customer.example"
        await stage.mail(mail(f"I am {who}.", sender=who, message_id=f"<{who}>"))
        room = await stage.conversation(number)
        await stage.sees(room, who)
        stage.hs.join(ALICE, room.id)
        stage.hs.say(ALICE, room.id, "!reply Hello")
        await stage.sees(room, "⏳ deferred (")
        rooms.append(room)
    return control, rooms


async def tried_now(stage: Stage) -> None:
    """Let the next log-in be due."""
    async with stage.app.database.transaction("settings") as tx:
        (problem,) = await tx.sending.all()
        await tx.sending.put(replace(problem, next_at=1.0))
        await tx.jobs.reschedule(TrySending(problem.account), 1.0)


async def told(stage: Stage, control: Room, text: str) -> list[str]:
    """What was said in the control room that holds `text`."""
    return [body for body in stage.hs.bodies(control) if text in body]


async def health(stage: Stage) -> tuple[int, dict[str, Any], str]:
    """(status of /health, its parts, the metrics)."""
    url = f"http://127.0.0.1:{stage.health['port']}"
    async with aiohttp.ClientSession() as http, http.get(f"{url}/health") as page:
        parts = await page.json()
        async with http.get(f"{url}/metrics") as metrics:
            return page.status, parts, await metrics.text()


async def test_a_refused_log_in_is_told_once_and_all_mails_wait_for_its_end(stage: Stage) -> None:
    stage.smtp.password = "another"
    control, rooms = await answers_wait(stage)
    (text,) = await told(stage, control, TOLD)
    assert "127.0.0.1 refuses the log-in of support@acme.example (535 5.7.8 wrong password)" in text
    assert "Correct smtp.user and smtp.password" in text
    assert "!inbox test support tries at once" in text
    assert stage.smtp.connections == 1, "each mail tried by itself"
    await ask(stage, control, "!status", "cannot send since", "535 5.7.8 wrong password",
              "next try")  # fmt: skip
    await ask(stage, control, "!queue", "Support cannot send since", "3 × sending a mail")
    page, parts, metrics = await health(stage)
    assert (page, parts["sending support"]) == (503, "535 5.7.8 wrong password")
    assert 'postroom_smtp_up{inbox="support"} 0.0' in metrics
    await tried_now(stage)
    await until(lambda: stage.smtp.connections == 2, "the next try")
    await until(lambda: problem_tries(stage, 2), "its end")
    assert len(await told(stage, control, TOLD)) == 1
    assert not stage.smtp.accepted()

    stage.smtp.password = PASSWORD
    await tried_now(stage)
    for room in rooms:
        await stage.sees(room, "✅ sent")
    (text,) = await until(lambda: told(stage, control, AGAIN), "the end of it")
    assert text == f"✅ {AGAIN} 3 mails that waited leave now."
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 3
    page, parts, metrics = await health(stage)
    assert (page, parts["sending support"]) == (200, "ok")
    assert 'postroom_smtp_up{inbox="support"} 1.0' in metrics


async def problem_tries(stage: Stage, tries: int) -> bool:
    async with stage.app.database.reading() as tx:
        return [each.tries for each in await tx.sending.all()] == [tries]


@pytest.mark.parametrize("way", ["by 🔁", "by !inbox test", "by a restart"])
async def test_what_waits_leaves_at_once(stage: Stage, way: str) -> None:
    stage.smtp.password = "another"
    control, rooms = await answers_wait(stage, 2)
    stage.smtp.password = PASSWORD
    if way == "by 🔁":
        event = await stage.sees(rooms[0], "⏳ deferred (")
        stage.hs.react(ALICE, rooms[0].id, event["event_id"], "🔁")
    elif way == "by !inbox test":

        async def back(_: list[str], raw: bytes) -> None:
            await stage.mail(raw)

        stage.smtp.relay = back
        stage.hs.say(ADMIN, control.id, "!inbox test support")
    else:
        await stage.close()
        await stage.open(smtp=with_password(stage), sent_copy="never")
    for room in rooms:
        await stage.sees(room, "✅ sent")


async def test_many_mails_at_once_make_one_try(stage: Stage) -> None:
    await stage.open(smtp=with_password(stage), sent_copy="never")
    await stage.queue(ALICE)
    rooms = []
    for number in range(1, 7):
        who = f"c{number}@customer.example"
        await stage.mail(mail(f"I am {who}.", sender=who, message_id=f"<{who}>"))
        rooms.append(await stage.conversation(number))
        await stage.sees(rooms[-1], who)
        stage.hs.join(ALICE, rooms[-1].id)
    stage.smtp.password = "another"
    for room in rooms:
        stage.hs.say(ALICE, room.id, "!reply Hello")
    for room in rooms:
        await stage.sees(room, "⏳ deferred (")
    assert await problem_tries(stage, 1)
    stage.hs.say(ALICE, rooms[0].id, "!retry")  # a try that somebody wants counts for nothing
    before = stage.smtp.connections
    await until(lambda: stage.smtp.connections > before, "that try")
    await until(lambda: problem_tries(stage, 1), "its end")


async def test_an_older_password_of_one_inbox_keeps_that_one_alone(stage: Stage) -> None:
    stage.smtp.password = PASSWORD
    config = stage.config(smtp=with_password(stage), sent_copy="never")
    sales = {**config["inboxes"]["support"], "name": "Sales", "address": "sales@acme.example",
             "smtp": {**with_password(stage), "password": "older"}}  # fmt: skip
    config["inboxes"]["support"]["default"] = True
    config["inboxes"]["sales"] = sales
    await stage.open(config)
    control = await control_room(stage)
    await stage.enter("Sales queue", ALICE)
    await stage.mail(mail(to="sales@acme.example"))
    room = await stage.conversation()
    await stage.sees(room, "dark")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "⏳ deferred (535 5.7.8 wrong password)")
    await tried_now(stage)
    await until(lambda: problem_tries(stage, 2), "the next try")
    await stage.sees(control, "⚠️ Sales: no mail can be sent since")
    assert not await told(stage, control, "can be sent again")


async def test_a_changed_password_is_tried_at_once(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await ask(stage, control, "!inbox set support smtp.password falsch-1", "Kept encrypted")
    await ask(stage, control, f"!inbox set support smtp.user {SUPPORT}", "is now")
    await ask(stage, control, "!inbox set support smtp.auth password", "is now")
    stage.smtp.password = PASSWORD
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "dark")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "⏳ deferred (535 5.7.8 wrong password)")
    await stage.sees(control, TOLD)
    await ask(stage, control, f"!inbox set support smtp.password {PASSWORD}", "Kept encrypted")
    await stage.sees(room, "✅ sent")
    await stage.sees(control, "Support: the outgoing server has new settings; what waits is tried")


async def test_a_server_that_is_away_is_told_of_when_it_stays_away(stage: Stage) -> None:
    room = await begun(stage, smtp=with_password(stage), sent_copy="never")
    control = await control_room(stage)
    stage.smtp.script = [Fault("banner", cut=True)] * 2
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "⏳ deferred (")
    await status.watch(stage.app.desk)
    await stage.quiet_but("deliver", "sending")
    assert not await told(stage, control, TOLD)
    async with stage.app.database.transaction("settings") as tx:
        (problem,) = await tx.sending.all()
        await tx.sending.put(replace(problem, since=problem.since - 700))
    await status.watch(stage.app.desk)
    await status.watch(stage.app.desk)
    await stage.sees(control, TOLD)
    assert len(await told(stage, control, TOLD)) == 1


async def test_an_outage_ends_though_no_mail_waits_any_more(stage: Stage) -> None:
    stage.smtp.password = "another"
    control, (room,) = await answers_wait(stage, 1)
    stage.hs.say(ALICE, room.id, "!undo")
    await stage.sees(room, "🚫 stopped by")
    stage.smtp.password = PASSWORD
    await tried_now(stage)
    await until(lambda: told(stage, control, AGAIN), "its end")
    assert (await health(stage))[0] == 200
