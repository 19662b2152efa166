"""The appservice's door: who may knock, what is kept, what happens when the store fails."""

from __future__ import annotations

import io
import json
from typing import Any

import aiohttp
import pytest

from bridge import failpoint
from tests.stage import ALICE, Stage, mail, until
from tests.stories.desk import begun


async def put(stage: Stage, body: Any, path: str = "transactions/1", **headers: str) -> int:
    url = f"http://127.0.0.1:{stage.appservice['port']}/_matrix/app/v1/{path}"
    data = io.BytesIO(json.dumps(body).encode())
    async with aiohttp.ClientSession() as http, http.put(url, data=data, headers=headers) as answer:
        assert "Content-Length" in answer.headers
        return answer.status


GOOD = {"Authorization": "Bearer hs"}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "hs"}, {"Authorization": "Basic hs"},
     {"Authorization": "Bearer "}, {"Authorization": "Bearer hsx"}],
)  # fmt: skip
async def test_T30_a_wrong_token_is_refused(stage: Stage, headers: dict[str, str]) -> None:
    await stage.open()
    assert await put(stage, {"events": []}, **headers) == 403
    assert await put(stage, {"events": []}, "transactions/1?access_token=hs", **headers) == 403


async def test_the_first_push_is_nudged_and_bad_ones_are_named(stage: Stage) -> None:
    await stage.open()
    await until(lambda: stage.app.service._nudged, "the nudge")
    assert await put(stage, {"events": []}, **GOOD) == 200
    assert await put(stage, {"nothing": 1}, **GOOD) == 400
    assert await put(stage, {"events": [{"malformed": True}, 5]}, **GOOD) == 200


async def test_a_transaction_of_many_megabytes_is_taken(stage: Stage) -> None:
    await stage.open()
    await until(lambda: stage.app.service._nudged, "the nudge")
    assert await put(stage, {"events": [{"padding": "x" * 5_000_000}]}, **GOOD) == 200


@pytest.mark.parametrize("action", ["busy", "enospc", "raise"])
async def test_when_the_store_fails_the_homeserver_keeps_the_push(
    stage: Stage, action: str
) -> None:
    room = await begun(stage)
    await stage.quiet()
    failpoint.arm(f"transaction-in:before:1:{action}")
    try:
        stage.hs.say(ALICE, room.id, "!reply Hello")
        await stage.sees(room, "✅ sent")
    finally:
        failpoint.disarm()
    assert len(stage.smtp.accepted()) == 1


async def test_the_same_event_under_another_transaction_counts_once(stage: Stage) -> None:
    room = await begun(stage)
    event_id = stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    event = next(each for each in room.events if each["event_id"] == event_id)
    for number in (1, 7, 7):
        assert await put(stage, {"events": [event]}, f"transactions/{number}", **GOOD) == 200
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 1


async def test_a_stranded_push_comes_after_the_nudge_and_a_lost_one_is_found(
    stage: Stage,
) -> None:
    room = await begun(stage)
    await stage.close()
    stage.hs.restart()
    stage.hs.strand_pushes = True
    stage.hs.say(ALICE, room.id, "!reply Stranded")
    stage.hs.strand_pushes, stage.hs.lose_pushes = False, True
    stage.hs.say(ALICE, room.id, "!reply Lost")
    stage.hs.lose_pushes = False
    await stage.open()
    await stage.sent(2)
    await stage.quiet()
    assert len(stage.smtp.accepted()) == 2


async def test_patience_is_shown_where_the_homeserver_asks_for_it(stage: Stage) -> None:
    room = await begun(stage)
    await stage.quiet()
    stage.hs.rate_limit = 3
    stage.hs.say(ALICE, room.id, "!info")
    await stage.sees(room, "Contact: Carla Customer <carla@customer.example>")


async def test_an_answer_that_got_lost_makes_no_second_event(stage: Stage) -> None:
    room = await begun(stage)
    await stage.quiet()
    stage.hs.restart()
    stage.hs.lose_answers = 2
    stage.hs.say(ALICE, room.id, "!info")
    await stage.sees(room, "Contact: ")
    await stage.quiet()
    assert sum("Contact: " in body for body in stage.hs.bodies(room)) == 1


async def test_devices_that_were_deleted_are_made_again(stage: Stage) -> None:
    """An admin tidied up: what the bridge sends is refused until its senders have a device."""
    room = await begun(stage)
    await stage.quiet()
    for devices in stage.hs.devices.values():
        devices.clear()
    answer = mail("More", message_id="<m2@customer.example>", In_Reply_To="<m1@customer.example>")
    await stage.mail(answer)
    await stage.sees(room, "More")
    stage.hs.say(ALICE, room.id, "!reply Thanks")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    assert stage.hs.bodies(room).count("More") == 1


async def test_help_and_unknown_commands(stage: Stage) -> None:
    room = await begun(stage)
    for text, answer in (
        ("!help", "!reply TEXT – Email TEXT to the customer"),
        ("!help cc", "!cc [+ADDRESS…] [-ADDRESS…]"),
        ("!help nonsense", "No command !nonsense here"),
        ("!status", "!status works in the control room"),
        ("!frobnicate", "No command !frobnicate; !help lists them"),
        ("!take", "#1 is yours"),
        ("!reopen", "It is open already"),
        ("!undo", "Nothing waits for that here"),
    ):
        stage.hs.say(ALICE, room.id, text)
        await stage.sees(room, answer)


async def test_health_tells_each_part(stage: Stage) -> None:
    await begun(stage)
    url = f"http://127.0.0.1:{stage.health['port']}/health"

    async def health() -> tuple[int, Any]:
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return answer.status, await answer.json()

    status, parts = await health()
    assert (status, parts["homeserver"], parts["inbox support"]) == (200, "ok", "ok")
    stage.hs.down = True

    async def down() -> bool:
        return (await health())[0] == 503

    await until(down, "/health to say that the homeserver is down")
    stage.hs.down = False
