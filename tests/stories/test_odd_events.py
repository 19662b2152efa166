"""Odd events of the homeserver: each stands alone, handled or parked, and the others go on."""

from __future__ import annotations

import asyncio
import io
import json
import time
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings

from bridge.desk.events import listen
from bridge.matrix.reconcile import Reconciler
from bridge.model import Event, Transient
from tests.chat.test_event import JSON, ODD
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ALICE, Stage, until
from tests.stories.desk import ask, begun, control_room

GOOD = {"Authorization": "Bearer hs"}


async def put(stage: Stage, body: bytes, headers: dict[str, str] = GOOD, path: str = "") -> int:
    path = path or "/_matrix/app/v1/transactions/1"
    url = f"http://127.0.0.1:{stage.appservice['port']}{path}"
    method = "PUT" if "transactions" in path else "GET"
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, data=io.BytesIO(body), headers=headers) as answer,
    ):
        return answer.status


async def parked(stage: Stage) -> list[Any]:
    return await rows(stage.database, stage.folder, "SELECT * FROM job WHERE kind = 'parked'")


def talk(room: Room, number: int, **more: Any) -> dict[str, Any]:
    """A message of an agent that asks for something."""
    return {
        "event_id": f"$good{number}", "room_id": room.id, "sender": ALICE,
        "type": "m.room.message", "origin_server_ts": int(time.time() * 1000),
        "content": {"msgtype": "m.text", "body": "!tag"}, **more,
    }  # fmt: skip


def odd(room: Room, number: int) -> str:
    """One of the odd events, as JSON; each is another one."""
    good, known = talk(room, 0), f"$odd{number}"
    kinds: list[Any] = [
        {**good, "event_id": f"{known}\0"},
        {**good, "event_id": known, "sender": "@\ud800:hs"},
        {**good, "event_id": known, "content": [number]},
        {**good, "event_id": known, "type": None},
        {**good, "event_id": known, "type": "m.room.member", "state_key": "@x\0"},
        {**good, "event_id": known * 200},
        [known],
        number,
        {"event_id": known},
    ]
    chosen = number % (len(kinds) + 1)
    if chosen < len(kinds):
        return json.dumps(kinds[chosen])
    deep = "[" * 5000 + "]" * 5000
    return f'{{"event_id": "{known}", "room_id": "{room.id}", "content": {{"x": {deep}}}}}'


async def test_T48_two_hundred_odd_events_among_a_thousand_good_ones(stage: Stage) -> None:
    """In pushes of a hundred: all are acknowledged, the good ones handled, the odd ones parked."""
    room = await begun(stage)
    await stage.quiet()
    texts = [json.dumps(talk(room, number)) for number in range(1000)]
    for number in range(200):
        texts.insert(number * 6, odd(room, number))
    for start in range(0, len(texts), 100):
        body = f'{{"events": [{", ".join(texts[start : start + 100])}]}}'
        assert await put(stage, body.encode()) == 200
    known = await rows(stage.database, stage.folder, "SELECT id FROM event WHERE id LIKE '$good%'")
    assert len(known) == 1000
    assert len(await parked(stage)) == 200
    await stage.quiet(120)
    assert {row["kind"] for row in await rows(stage.database, stage.folder,
            "SELECT kind FROM job")} == {"parked"}  # fmt: skip


async def test_an_odd_event_that_comes_again_is_parked_once(stage: Stage) -> None:
    room = await begun(stage)
    body = f'{{"events": [{odd(room, 2)}]}}'.encode()
    for _ in range(3):
        assert await put(stage, body) == 200
    assert len(await parked(stage)) == 1
    # its age differs each time, and pushes and /sync surround it with other things
    for age in (5, 70_000):
        event = {**talk(room, 0), "event_id": "$aged", "content": [], "unsigned": {"age": age}}
        assert await put(stage, json.dumps({"events": [event]}).encode()) == 200
    assert len(await parked(stage)) == 2


async def test_what_says_little_may_be_odd_and_the_command_counts(stage: Stage) -> None:
    room = await begun(stage)
    for number, change in enumerate((
        {"unsigned": []}, {"origin_server_ts": 10**400}, {"origin_server_ts": int("9" * 4000)},
        {"unsigned": {"prev_content": "\0"}}, {"age": "\ud800"},
    )):  # fmt: skip
        content = {"msgtype": "m.text", "body": f"!note number {number}\0\ud800"}
        event = talk(room, number, content=content, **change)
        stage.hs.send(ALICE, room.id, "m.room.message", content)
        assert await put(stage, json.dumps({"events": [event]}).encode()) == 200
    await stage.quiet()
    assert await parked(stage) == []


async def test_admins_see_parked_events_and_have_them_read_again(stage: Stage) -> None:
    room = await begun(stage)
    control = await control_room(stage)
    lost = stage.hs.say(ALICE, room.id, "!tag +urgent")
    await stage.sees(room, "Tags: urgent")
    raw = {**talk(room, 0), "event_id": lost, "content": "broken on its way"}
    assert await put(stage, json.dumps({"events": [raw]}).encode()) == 200
    (job,) = await parked(stage)
    said = await ask(stage, control, "!quarantine list", "1 Matrix event could not be handled",
                     f"m.room.message of Alice ({ALICE})", "its content is no object")  # fmt: skip
    assert "mail" not in said
    shown = await ask(stage, control, f"!quarantine show {job['id']}", f"Id: {lost}", room.id)
    assert "broken on its way" not in shown
    await ask(stage, control, f"!quarantine retry {job['id']}", f"Event {job['id']} gets new tries")
    await until(lambda: _gone(stage), "the event to be read")
    raw = {**talk(room, 1), "event_id": "$nowhere", "content": []}
    assert await put(stage, json.dumps({"events": [raw]}).encode()) == 200
    (job,) = await parked(stage)
    await ask(stage, control, f"!quarantine drop {job['id']}", "Whatever it asked for is not done")
    await ask(stage, control, "!yes", f"Event {job['id']} is dropped.")
    await ask(stage, control, "!quarantine list", "Nothing is in quarantine.")


async def _gone(stage: Stage) -> bool:
    return not await parked(stage)


@pytest.mark.parametrize("kind", ["m.room.message", "m.reaction", "m.room.member"])
async def test_T48_arbitrary_events_are_handled_or_parked(stage: Stage, kind: str) -> None:
    """Whatever JSON stands in them, on both databases; no job of theirs fails."""
    room = await begun(stage)
    await stage.quiet()
    bodies: list[bytes] = []

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ODD, JSON, JSON)
    def collect(content: dict[str, Any], unsigned: Any, value: Any) -> None:
        number = len(bodies)
        state = {"state_key": f"@p{number}:fake.local"} if kind == "m.room.member" else {}
        good = {**talk(room, number), "type": kind, "content": content, "unsigned": unsigned,
                "origin_server_ts": value, **state}  # fmt: skip
        bodies.append(json.dumps({"events": [value, good, {**good, "event_id": value}]}).encode())

    await asyncio.to_thread(collect)
    for body in bodies:
        assert await put(stage, body) == 200
    assert await put(stage, json.dumps({"events": [talk(room, 5000)]}).encode()) == 200
    await stage.quiet(120)
    left = await rows(stage.database, stage.folder, "SELECT kind, last_error FROM job")
    assert {row["kind"] for row in left} <= {"parked"}, left


async def test_events_that_break_the_store_together_are_stored_one_by_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something about one of them that nobody thought of raises where it is stored."""
    room = await begun(stage)
    await stage.quiet()
    concerns = listen._concerns

    def fails(desk: Any, event: Event) -> bool:
        if event.id == "$good1":
            raise LookupError("nobody thought of that")
        return concerns(desk, event)

    monkeypatch.setattr(listen, "_concerns", fails)
    events = [{**talk(room, number), "room_id": control}
              for number, control in enumerate([room.id] * 3)]  # fmt: skip
    assert await put(stage, json.dumps({"events": events}).encode()) == 200
    known = await rows(stage.database, stage.folder, "SELECT id FROM event WHERE id LIKE '$good%'")
    assert {row["id"] for row in known} == {"$good0", "$good2"}
    (job,) = await parked(stage)
    assert "LookupError" in job["last_error"]
    assert "nobody" not in job["last_error"]


@pytest.mark.parametrize(
    "path", ["/_matrix/mau/live", "/_matrix/mau/ready", "/nothing", "/_matrix/app/v1/users/@a:b"]
)
async def test_no_path_answers_without_the_token(stage: Stage, path: str) -> None:
    await stage.open()
    assert await put(stage, b"", {}, path) == 403
    assert await put(stage, b"", {"Authorization": "Bearer wrong"}, path) == 403
    assert await put(stage, b"", GOOD, path) != 403


async def test_a_header_that_is_no_utf8_is_refused(stage: Stage) -> None:
    await stage.open()
    port = stage.appservice["port"]
    for token in (b"\xff\xfe", b"hs\xff", "ü".encode("latin-1"), b"\xed\xa0\x80"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"PUT /_matrix/app/v1/transactions/1 HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 2\r\nAuthorization: Bearer " + token + b"\r\n\r\n{}"
        )
        assert b" 403 " in await reader.readline()
        writer.close()


NONSENSE: list[Any] = [
    None, [], "x", {}, {"next_batch": 5}, {"rooms": []}, {"rooms": {"join": []}},
    {"rooms": {"join": {"!r": []}}, "next_batch": "1"},
    {"rooms": {"join": {"!r": {"timeline": []}}}, "next_batch": "1"},
    {"rooms": {"join": {"!r": {"timeline": {"events": 5}}}}, "next_batch": "1"},
    {"rooms": {"join": {"!r": {"timeline": {"events": [5, None, "x"]}}}}, "next_batch": "1"},
]  # fmt: skip


async def test_the_reconciler_outlives_every_answer_and_every_failure(stage: Stage) -> None:
    await stage.open()

    class Odd:
        """A homeserver whose answers to /sync are nonsense, then an error nobody thought of."""

        def __init__(self) -> None:
            self.answers = [*NONSENSE, ArithmeticError("odd"), {"next_batch": "last"}]

        async def sync(self, since: str | None) -> Any:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def hold(self, since: str, seconds: float) -> str:
            raise Transient("gone")

    async def take(raws: list[Any]) -> int:
        return await listen.store_events(stage.app.desk, raws)

    odd_homeserver = Odd()
    reconciler = Reconciler(odd_homeserver, stage.app.database, take)
    for _ in NONSENSE:  # each look by itself: nothing but Transient comes of nonsense
        try:
            await reconciler.look()
        except Transient:
            continue
    running = asyncio.create_task(reconciler.run())

    async def done() -> bool:
        async with stage.app.database.reading() as tx:
            return await tx.settings.value("sync-token") == "last"

    await until(done, "the look after the failure")
    assert not running.done()
    running.cancel()
