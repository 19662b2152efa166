"""Two bridges on one PostgreSQL: they share the work, and one goes on when the other dies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app import App
from bridge.config.load import load, load_registration
from bridge.demo.ports import free_ports
from tests.servers.postgres import PostgresServer
from tests.stage import ALICE, SUPPORT, Stage, mail, until
from tests.stories.desk import ask, control_room
from tests.stories.test_inbox import set_up


@pytest.fixture
async def shared(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path, postgres.create())
    await stage.start()
    yield stage
    await stage.stop()


async def second(stage: Stage) -> App:
    """Another process's bridge, on ports of its own."""
    settings = load(stage.folder / "config.yaml", make_key=True)
    appservice, health = free_ports(2)
    settings = settings.model_copy(
        update={
            "appservice": settings.appservice.model_copy(update={"port": appservice}),
            "health": settings.health.model_copy(update={"port": health}),
        }
    )
    return await App(settings, load_registration(settings)).__aenter__()


async def test_work_is_shared_and_the_one_that_is_left_does_all_of_it(shared: Stage) -> None:
    stage = shared
    await stage.open()
    other = await second(stage)
    await stage.queue(ALICE)
    for number in range(1, 7):
        await stage.mail(mail(subject=f"Case {number}", message_id=f"<m{number}@customer.example>"))
    rooms = [await stage.conversation(number) for number in range(1, 7)]
    for number, room in enumerate(rooms, 1):
        await stage.sees(room, "my display stays dark")
        stage.hs.join(ALICE, room.id)
        stage.hs.say(ALICE, room.id, f"!reply Answer {number}")
    await stage.sent(6)
    assert len(stage.smtp.accepted()) == 6
    queue = await stage.room("Support queue")
    for number in range(1, 7):
        await stage.sees(queue, f"#{number} Carla Customer")
    cards = [body for body in stage.hs.bodies(queue) if body.startswith("#")]
    assert len(cards) == 6
    await stage.close()
    stage.hs.appservice = f"http://127.0.0.1:{other.desk.directory.file.appservice.port}"
    await stage.mail(mail("After the first one died.", message_id="<m9@customer.example>"))
    await stage.sees(await stage.conversation(7), "After the first one died.", 30)
    stage.hs.say(ALICE, rooms[0].id, "!reply Once more")
    await stage.sent(7, 30)
    await other.__aexit__()


async def test_an_inbox_set_up_through_one_process_is_known_to_the_other(shared: Stage) -> None:
    stage = shared
    config = stage.config()
    config["inboxes"] = {}
    await stage.open(config)
    other = await second(stage)
    control = await control_room(stage)
    await set_up(stage, control)
    await until(lambda: SUPPORT in str(other.desk.settings.inboxes), "the other to know it")
    await stage.mail(mail())
    await stage.sees(await stage.conversation(), "my display stays dark")
    await ask(stage, control, "!inbox pause support", "is paused")
    await until(
        lambda: all(each.paused for each in other.desk.settings.inboxes.values()), "the pause"
    )
    await other.__aexit__()
    await stage.close()
