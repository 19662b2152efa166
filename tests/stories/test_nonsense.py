"""Whatever stands behind a command: it has one answer at most, nothing fails, all goes on."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest

from bridge.desk.events.commands import ALL
from tests.servers.database import rows
from tests.servers.matrix_state import DOMAIN
from tests.stage import ADMIN, ALICE, Stage
from tests.stories.desk import ask, begun, control_room

NONSENSE = (
    "", "\n", "0", "-1", "#", "#0", "9" * 23, "1e9", "٣", "\u202e1", "a" * 30_000, "😀",
    "' OR 1=1 --", '"', '"""', "AND OR NOT *", "^a", "a*", "NEAR(a b)", "col:a", "%", "_", "\\",
    "tag:", "tag:%", "department:", "@", "@@", "a@b", "a@b.c, c@d.e", "<a@b.c>", "+", "+-",
    "+a -a", "add", "set", "name", "note", "remove x", "all", "all all", "send", "add add", "-2d",
    "1000000d", "tomorrow 25:00", "9999-12-31 00:00", "2026-02-30 10:00", "high low", "week x",
    "support support", "{first_name}", "{", "\x00", "\x00a", "\ufffe", "\u2028x", "!help",
    "`code`", "<b>x</b>", "x\ny\nz", "\t\tx", "list", "add support\n[", "add support\n- - -",
    "add support\nname: {a: b}", "add support\n&a [*a]", "add hi\n" + "x" * 60_000,
    "add hi support\n{nobody}", "test support\nname: x\nwhen: {header: {x: y}}\nthen: {}",
    "add support\nname: x\nwhen: {size: -1}\nthen: {tag: a}",
)  # fmt: skip


@pytest.mark.timeout(600)
async def test_nonsense_behind_every_command(stage: Stage) -> None:
    room = await begun(stage)
    rooms = {"conversation": (ALICE, room), "queue": (ALICE, await stage.queue()),
             "control": (ADMIN, await control_room(stage))}  # fmt: skip
    said = {}
    for row, spec in enumerate(ALL):
        who, where = rooms[spec.room]
        for text in itertools.islice(NONSENSE, row % 5, None, 5):  # another part for each
            if spec.word == "inbox" and text.startswith("test"):
                continue  # which is an order that takes its time
            said[stage.hs.say(who, where.id, f"!{spec.word} {text}")] = f"!{spec.word} {text[:40]}"
    await idle(stage)
    answers = Counter(
        each["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
        for _, where in rooms.values()
        for each in where.events
        if each["sender"] == f"@email_bot:{DOMAIN}"
    )
    assert {text: answers[event] for event, text in said.items() if answers[event] > 1} == {}
    silent = {text.split()[0] for event, text in said.items() if not answers[event]}
    assert silent <= {"!original", "!undo", "!no"}, silent  # which show a file, or change a status
    bodies = [body for _, where in rooms.values() for body in stage.hs.bodies(where)]
    assert not any("did not work" in body or "(job " in body for body in bodies)
    await ask(stage, rooms["control"][1], "!status", "failed permanently: 0")


async def idle(stage: Stage) -> None:
    for _ in range(2000):
        kinds = await rows(stage.database, stage.folder, "SELECT kind FROM job")
        if all(each["kind"] in ("wake", "deliver") for each in kinds) and not stage.hs.pushes:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(Counter(each["kind"] for each in kinds))
