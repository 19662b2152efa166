"""Running it: the alarm of an inbox, jobs that fail for good, a closed account."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from bridge.desk.admin import status
from bridge.model import DeliveryState, Number
from bridge.smtp.sender import DATA_TIMEOUT
from tests.servers.smtp import Fault
from tests.stage import ADMIN, ALICE, Stage, until
from tests.stories.desk import begun


async def test_ten_minutes_without_a_good_check_are_told_once_and_so_is_the_end(
    stage: Stage,
) -> None:
    app = await stage.open()
    control = await stage.room("Postroom control")
    account = next(iter(app.desk.settings.accounts()))
    async with app.database.transaction("account-health") as tx:
        await tx.settings.record_check(account, time.time(), "connection refused")
    await status.watch(app.desk)
    later = dataclasses.replace(app.desk, now=lambda: time.time() + 601)
    for _ in range(2):
        await status.watch(later)
    told = await stage.sees(control, "Support: no successful check since")
    assert "connection refused" in told["content"]["body"]
    async with app.database.transaction("account-health") as tx:
        await tx.settings.record_check(account, time.time(), "")
    await status.watch(app.desk)
    await stage.sees(control, "✅ Support: the mailbox is checked again.")
    assert sum("no successful check" in body for body in stage.hs.bodies(control)) == 1


async def test_a_mailbox_that_falls_silent_without_a_problem_is_told_too(stage: Stage) -> None:
    app = await stage.open()
    later = dataclasses.replace(app.desk, now=lambda: time.time() + 601)
    for _ in range(2):
        await status.watch(later)
    control = await stage.room("Postroom control")
    await stage.sees(control, "The mail server gives no answer. Mail waits in the mailbox")
    await status.watch(app.desk)
    await stage.sees(control, "✅ Support: the mailbox is checked again.")


async def test_a_job_that_fails_for_good_is_told_and_can_be_retried(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.worker.delay_after", lambda tries, floor=None: 0.05)
    room = await begun(stage)
    control = await stage.enter("Postroom control", ADMIN)

    def broken(mail: object) -> bytes:
        raise KeyError("a bug of ours")

    with monkeypatch.context() as patched:
        patched.setattr("bridge.mail.compose.build", broken)
        stage.hs.say(ALICE, room.id, "!reply Hello")
        await stage.sees(control, "failed three times: KeyError: 'a bug of ours'")
        await stage.sees(room, "the bridge could not send it; the admins were told")
    stage.hs.say(ADMIN, control.id, "!status")
    await stage.sees(control, "failed permanently: 1")
    stage.hs.say(ADMIN, control.id, "!retry")
    await stage.sees(control, "1 failed job gets new tries.")
    await stage.sees(room, "✅ sent")
    assert len(stage.smtp.accepted()) == 1


async def test_a_stop_does_not_wait_for_a_server_that_hangs(stage: Stage) -> None:
    room = await begun(stage, sent_copy="never")
    stage.smtp.script = [Fault("dot", hang=True)]
    stage.hs.say(ALICE, room.id, "!reply Hello")

    async def begun_data() -> bool:
        async with stage.app.database.reading() as tx:
            delivery = await tx.deliveries.newest(Number(1), list(DeliveryState))
        return delivery is not None and delivery.data_begun

    await until(begun_data, "DATA to begin")
    assert DATA_TIMEOUT > 60  # so long the server would be waited for
    await asyncio.wait_for(stage.close(), 60)
    await stage.open(sent_copy="never")
    await stage.sees(room, "❓ the server did not confirm")
    assert stage.smtp.accepted() == []


async def test_T41_admins_and_nobody_else_command_in_the_control_room(stage: Stage) -> None:
    await stage.open()
    control = await stage.enter("Postroom control", ADMIN)
    stage.hs._member(control, ADMIN, ALICE, "invite")
    stage.hs.join(ALICE, control.id)
    stage.hs.say(ALICE, control.id, "!status")
    await stage.sees(control, "Only admins can do that.")
    stage.hs.say(ADMIN, control.id, "!help")
    await stage.sees(control, "!status – Show the homeserver, every inbox and what is waiting.")
    stage.hs.say(ADMIN, control.id, "!reply x")
    await stage.sees(control, "!reply works in a conversation's room.")
