"""The control room: what waits, what failed, mails in quarantine, and numbers about it all."""

from __future__ import annotations

import json
import time

import aiohttp
import pytest

from bridge.desk.events import listen
from bridge.model.task import Deliver
from tests.stage import ALICE, CUSTOMER, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, begun, control_room

CANARY = "qanarienvogel"


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A parser with a bug; undo() mends it."""

    def fails(*_: object) -> None:
        raise KeyError("a bug of ours")

    monkeypatch.setattr("bridge.worker.delay_after", lambda tries, floor=None: 0.05)
    monkeypatch.setattr("bridge.desk.inbound.show.mail_event.content", fails)
    return monkeypatch


async def quarantined(stage: Stage) -> tuple[object, str]:
    """A mail in quarantine: the control room, and its number."""
    await stage.open()
    control = await control_room(stage)
    await stage.mail(mail())
    await stage.sees(control, "Reading a mail (job")
    listed = await ask(stage, control, "!quarantine list", "1 mail could not be taken in",
                       "Dark display", "KeyError: 'a bug of ours'")  # fmt: skip
    return control, listed.splitlines()[1].split()[0]


async def test_status_says_what_keeps_mail_back(stage: Stage) -> None:
    await stage.open()
    control = await control_room(stage)
    (account,) = stage.app.desk.settings.accounts()
    async with stage.app.database.transaction("settings") as tx:
        await tx.settings.set_value(f"polls:{account}", "120")
        for uid in (3, 4):
            await tx.held.hold(account, "INBOX", 7, uid, "NO cannot be read", time.time())
    await ask(
        stage, control, "!status", "new mail is seen within 120 s",
        "2 mails are not given by the server yet (NO cannot be read) and asked for again",
    )  # fmt: skip


async def test_a_mail_that_cannot_be_read_is_shown_and_tried_again(
    stage: Stage, broken: pytest.MonkeyPatch
) -> None:
    control, number = await quarantined(stage)
    await ask(stage, control, f"!quarantine show {number}", "my display stays dark",
              "Subject: Dark display", f"Carla Customer <{CUSTOMER}>", "a bug of ours")  # fmt: skip
    await ask(
        stage, control, "!queue", "Failed permanently:", f"· {number} reading a mail for support"
    )
    broken.undo()
    await ask(stage, control, f"!quarantine retry {number}", f"Mail {number} gets new tries.")
    await stage.sees(await stage.conversation(), "my display stays dark")
    await ask(stage, control, "!quarantine list", "Nothing is in quarantine.")
    await ask(stage, control, f"!quarantine show {number}", "Nothing in quarantine has the number")


async def test_a_mail_is_dropped_only_after_a_question(
    stage: Stage, broken: pytest.MonkeyPatch
) -> None:
    control, number = await quarantined(stage)
    await ask(stage, control, "!quarantine drop", "Say which by its number, like 12.")
    await ask(stage, control, f"!quarantine drop {number}", f"Drop mail {number}?")
    await ask(stage, control, "!yes", f"Mail {number} is dropped.")
    await ask(stage, control, "!quarantine list", "Nothing is in quarantine.")
    await ask(stage, control, "!queue", "Nothing waits and nothing failed.")
    await ask(stage, control, "!retry", "Nothing had failed permanently.")
    await ask(stage, control, "!retry 99", "No failed job has the number 99")
    await ask(stage, control, "!audit", f"quarantine: dropped mail {number}")


async def test_what_waits_says_why(stage: Stage) -> None:
    room = await begun(stage)
    control = await control_room(stage)
    stage.hs.fail_media = 1000
    await stage.mail(
        mail(message_id="<m2@customer.example>", files=(("a.png", "image/png", b"P"),))
    )

    async def told() -> bool:
        return "uploading a file" in await ask(stage, control, "!queue")

    await until(told, "the upload to wait")
    await ask(
        stage, control, "!status", "Waiting jobs: ", "Support <support@acme.example>: checked"
    )
    assert room.id
    stage.hs.fail_media = 0


async def test_a_wrong_command_is_answered_with_its_usage(stage: Stage) -> None:
    await stage.open()
    control = await control_room(stage)
    await ask(stage, control, "!inbox", "Say one of these:", "!inbox add [ADDRESS]")
    await ask(stage, control, "!inbox fly", "Say one of these:")
    await ask(stage, control, "!inbox set support", "Say what: !inbox set INBOX KEY VALUE")
    await ask(stage, control, "!agent", "!agent list")
    await ask(stage, control, "!quarantine", "!quarantine list")
    await ask(stage, control, "!frobnicate", "No command !frobnicate; !help lists them.")
    await ask(
        stage, control, "!help inbox", "!inbox publish INBOX [anyway]", "Put a draft inbox live."
    )


async def fetch(stage: Stage, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{stage.health['port']}{path}"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.text()


async def test_health_and_metrics_tell_how_it_is_and_name_nobody(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    status, text = await fetch(stage, "/health")
    health = json.loads(text)
    assert (status, health["homeserver"], health["database"]) == (200, "ok", "ok")
    assert health["inbox support"] == "ok"
    assert health["oldest_job_seconds"] == 0
    status, text = await fetch(stage, "/metrics")
    assert status == 200
    for line in (
        'postroom_mails_received_total{inbox="support",result="new"}',
        'postroom_mails_sent_total{inbox="support",result="sent"}',
        'postroom_mail_room_seconds_count{inbox="support"}',
        'postroom_imap_up{inbox="support"} 1.0',
        "postroom_homeserver_up 1.0",
        "postroom_jobs_dead 0.0",
        'postroom_job_seconds_count{kind="post",result="done"}',
    ):
        assert line in text, line
    assert "@" not in text
    assert CUSTOMER not in text
    assert SUPPORT not in text


async def test_the_log_holds_the_conversation_and_nothing_of_a_mail_or_a_command(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = mail(f"{CANARY} in the text", subject=f"{CANARY} in the subject",
               sender=f"{CANARY} <{CANARY}@customer.example>")  # fmt: skip
    room = await begun(stage, raw)
    stage.hs.fail_media = 1
    await stage.mail(mail(CANARY, message_id="<m2@customer.example>",
                          files=((f"{CANARY}.png", "image/png", b"P"),)))  # fmt: skip
    stage.hs.say(ALICE, room.id, f"{CANARY} talk")
    stage.hs.say(ALICE, room.id, f"!reply {CANARY}")
    await stage.sees(room, "✅ sent")
    broken = {"event_id": "$x", "type": 7, "content": {"body": CANARY}}
    assert await listen.store_events(stage.app.desk, [broken]) == 0
    await stage.quiet()
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err
    assert "event parked" in said.out


async def test_two_admins_decide_on_one_mail_and_the_second_is_told(
    stage: Stage, broken: pytest.MonkeyPatch
) -> None:
    control, number = await quarantined(stage)
    await ask(stage, control, f"!quarantine drop {number}", "!yes drops it")
    broken.undo()
    await ask(stage, control, f"!quarantine retry {number}", "gets new tries")
    await stage.conversation()
    await ask(stage, control, "!yes", f"Number {number} is not in quarantine any more")
    assert "dropped" not in await ask(stage, control, "!audit 1")


async def test_numbers_tell_of_a_job_that_fails_again_and_again_and_of_every_inbox(
    stage: Stage,
) -> None:
    config = stage.config(imap={**stage.config()["inboxes"]["support"]["imap"], "poll": 1200})
    config["inboxes"]["news"] = {"name": "News", "address": "news@acme.example",
                                 "smtp": config["inboxes"]["support"]["smtp"]}  # fmt: skip
    await stage.open(config)
    async with stage.app.database.transaction("settings") as tx:
        await tx.conn.execute("UPDATE account_check SET good_at = good_at - 700")
    status, text = await fetch(stage, "/health")
    assert (status, json.loads(text)["inbox news"]) == (200, "ok"), text
    async with stage.app.database.transaction("settings") as tx:
        await tx.jobs.add(Deliver(1), run_after=time.time() + 500)
        await tx.conn.execute(
            "UPDATE job SET created_at = created_at - 50, last_error = 'away'"
            " WHERE kind = 'deliver'"
        )
    health = json.loads((await fetch(stage, "/health"))[1])
    assert 49 <= health["oldest_job_seconds"] <= 60
