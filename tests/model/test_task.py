"""What jobs do, as it is kept, and what becomes of a job that this version cannot read."""

from __future__ import annotations

import pytest

from bridge.handlers import HANDLERS
from bridge.model import EventId, InboxId, MailId, Number, Role
from bridge.model.admin_task import Export
from bridge.model.job import TASKS, dumped, loaded
from bridge.model.task import (
    BringPost,
    CallHook,
    ReceiveMail,
    SetUp,
    ShowPreview,
    Task,
    Unreadable,
    Wake,
)
from tests.stage import Stage, mail
from tests.stories.desk import control_room

EVENT = EventId("$event")


def test_each_kind_has_a_name_a_title_and_somebody_who_does_it() -> None:
    assert len({task.kind for task in TASKS}) == len(TASKS)
    assert all(task.kind and task.title for task in TASKS)
    assert set(HANDLERS) == set(TASKS)


@pytest.mark.parametrize(
    ("task", "key"),
    [
        (ReceiveMail(7, was_waiting=True), "receive:7"),
        (SetUp(Role.CONTROL), "setup:control"),
        (SetUp(Role.QUEUE, InboxId("support")), "setup:queue:support"),
        (Wake(Number(3), 1.5), "wake:3:1.5"),
        (CallHook(MailId(4), 2, url="https://x.example", event={"a": [1]}, at=0.5), "hook:4:2"),
        (Export(EVENT, place="control", numbers=(Number(1),), name="x"), "export:$event"),
    ],
)
def test_a_task_is_read_as_it_was_written(task: Task, key: str) -> None:
    assert loaded(task.kind, dumped(task)) == task
    assert task.key == key
    assert task.is_unique


def test_what_changes_while_a_draft_is_shown_has_it_shown_again() -> None:
    assert not ShowPreview(1).is_unique


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("of-tomorrow", "{}"), ("post", "{}"), ("post", '{"post": "x"}'), ("post", "no JSON")],
)
def test_what_cannot_be_read_is_a_task_that_fails(kind: str, payload: str) -> None:
    task = loaded(kind, payload)
    assert isinstance(task, Unreadable)
    assert task.name == kind


async def test_a_job_of_another_version_is_shown_and_stops_nobody(stage: Stage) -> None:
    await stage.open()
    control = await control_room(stage)
    async with stage.app.database.transaction("settings") as tx:
        await tx.jobs.add(BringPost(1000), "one-lane")
        await tx.conn.execute(
            "UPDATE job SET kind = 'of-tomorrow', failures = 2 WHERE lane = 'one-lane'"
        )
    await stage.sees(control, "no kind of job of this version")
    await stage.mail(mail("Hello"))
    await stage.sees(await stage.conversation(1), "Hello")
