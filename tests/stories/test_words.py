"""One grammar for what people write, one prefix for what they read, and no failure unheard."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import failpoint
from bridge.imap.folders import Folders
from bridge.model import BridgeError, LostLease, Permanent, words
from bridge.model.task import BringPost
from tests.servers.database import rows
from tests.servers.smtp import Fault
from tests.stage import ALICE, BOB, Stage, mail, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered
from tests.stories.test_rules import came, opened

LONGEST = "t" * words.LONGEST_TAG


@pytest.mark.parametrize("text", ["a", LONGEST, "Büro-2", "ß"])
def test_a_tag_is_letters_digits_and_hyphens(text: str) -> None:
    assert words.tag(text) == text.casefold()


@pytest.mark.parametrize("text", ["", "-a", "a b", "a_b", "a%", LONGEST + "t", "a:b"])
def test_anything_else_is_no_tag(text: str) -> None:
    assert words.tag(text) is None


@pytest.mark.parametrize(("text", "number"), [("12", 12), (" #7 ", 7), ("0", 0), ("9" * 15, None)])
def test_a_number_stands_with_or_without_its_sign(text: str, number: int | None) -> None:
    assert words.number(text) == (int(text) if number is None else number)


@pytest.mark.parametrize("text", ["", "#", "twelve", "1 2", "-3", "9" * 16, "１２"])
def test_anything_else_is_no_number(text: str) -> None:
    assert words.number(text) is None


async def test_what_a_rule_sets_can_be_listed_and_taken_away(stage: Stage) -> None:
    then = {"tag": [LONGEST], "department": "BÜRO Köln"}
    await opened(stage, {"name": "all", "when": {}, "then": then})
    room, queue = await came(stage), await stage.queue()
    assert "#1 Dark display" in await answered(stage, queue, ALICE, f"!list tag:{LONGEST}")
    assert "#1 Dark display" in await answered(stage, queue, ALICE, "!list department:büro köln")
    assert "none" in await answered(stage, queue, ALICE, f"!list tag:{LONGEST[:-1]}")
    assert await answered(stage, room, ALICE, f"!tag -{LONGEST}") == "No tags."


async def test_texts_name_commands_as_the_installation_does(stage: Stage) -> None:
    config: dict[str, Any] = {**stage.config(), "command_prefix": "?"}
    await stage.open(config)
    await stage.queue(ALICE, BOB)
    control = await control_room(stage)
    await stage.sees(control, "?status shows how things are, ?help lists the commands.")
    assert control.state["m.room.topic", ""]["content"]["topic"].endswith("?help")
    assert "?inbox test" in await ask(stage, control, "?help")
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    await stage.quiet()
    assert "?reopen undoes it" in await answered(stage, room, ALICE, "?spam")
    assert not any("!" in body for body in stage.hs.bodies(control)), stage.hs.bodies(control)


def test_a_lost_lease_is_nothing_that_a_person_is_told() -> None:
    assert issubclass(LostLease, BridgeError)
    assert not issubclass(LostLease, Permanent)


async def test_a_failure_is_told_though_telling_it_fails_at_first(stage: Stage) -> None:
    await stage.open()
    control = await control_room(stage)
    await stage.quiet()
    failpoint.arm("told:before:1:enospc")
    try:
        async with stage.app.database.transaction("settings") as tx:
            await tx.jobs.add(BringPost(1000), "one-lane")
            await tx.conn.execute("UPDATE job SET failures = 2 WHERE lane = 'one-lane'")
        await stage.sees(control, "post 1000 is not there")
    finally:
        failpoint.disarm()


async def test_a_fault_of_ours_while_sending_is_logged_and_a_person_is_asked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Sent folder is looked at when nobody knows whether a mail left."""

    async def broken(*args: object) -> bool:
        raise TypeError("a fault of ours")

    room = await begun(stage)
    monkeypatch.setattr(Folders, "find_sent", broken)
    stage.smtp.script = [Fault("after", cut=True)]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "the server did not confirm")
    assert "a fault of ours" in capsys.readouterr().out


async def test_other_programs_are_not_told_of_what_was_erased(stage: Stage) -> None:
    then = {"webhook": "http://127.0.0.1:9/hook"}
    await opened(stage, {"name": "all", "when": {}, "then": then}, secret="x" * 40)
    await stage.mail(mail())
    await stage.conversation()

    async def waits() -> bool:
        query = "SELECT id FROM job WHERE kind = 'hook' AND last_error <> ''"
        return bool(await rows(stage.database, stage.folder, query))

    await until(waits, "the webhook to be tried")
    control = await control_room(stage)
    await ask(stage, control, "!erase carla@customer.example")
    await ask(stage, control, "!yes")

    async def gone() -> bool:
        return not await rows(stage.database, stage.folder, "SELECT id FROM job")

    await until(gone, "every job to end")
