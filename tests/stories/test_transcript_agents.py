"""Every answer an agent gets in a conversation and in the queue, kept as a text to be looked at."""

from __future__ import annotations

import re

from tests import golden
from tests.stage import ALICE, EVE, Stage, mail
from tests.stories.desk import begun, control_room
from tests.stories.test_order import answered

IN_ROOM = (
    "!help", "!help snooze", "!nonsense", "!list", "!reply", "!draft", "!send", "!attach", "!undo",
    "!yes", "!no", "!retry", "!to", "!cc +boss@customer.example", "!cc -boss@customer.example",
    "!bcc nobody", "!to support@acme.example", "!forward", "!forward support@acme.example",
    "!take", "!take", "!assign", "!assign @nobody", "!assign @alice", "!unassign", "!unassign",
    "!tag", "!tag +billing vip", "!tag +a%b", "!priority", "!priority now", "!priority high",
    "!subject", "!subject Dark screen", "!snooze", "!snooze never", "!close", "!close", "!reopen",
    "!reopen", "!spam", "!spam", "!reopen", "!block gmail.com", "!block support@acme.example",
    "!block", "!block", "!unblock", "!unblock x@y.example", "!unblock carla@customer.example",
    "!snippet", "!snippets", "!snippet add hi", "!contact", "!contact do", "!contact name",
    "!contact name Carla C.", "!contact note Likes tea", "!contact note", "!contact add x",
    "!contact add carla@home.example", "!contact remove x@y.example", "!contact",
    "!contact set support@acme.example", "!merge", "!merge 1", "!merge 9", "!split", "!move",
    "!note", "!note Call back", "!history", "!info", "!contact set dora@x.example",
)  # fmt: skip
IN_QUEUE = (
    "!help", "!take", "!take 9", "!take 1", "!reply", "!compose", "!compose x@y.example Subject",
    "!list", "!list everything", "!list snoozed", "!search", "!search call", "!search nowhere",
    "!snippets", "!snippets nope", "!stats", "!away", "!back",
)  # fmt: skip


def plain(text: str) -> str:
    """What differs from run to run, as a word."""
    text = re.sub(r"\b\d{2}:\d{2}\b", "hh:mm", text)
    text = re.sub(r"!room\d+", "!room", text)
    return re.sub(r"median .* h\b|median \d+ s, p90 \d+ s", "median …", text)


async def test_what_an_agent_reads(stage: Stage) -> None:
    room = await begun(stage)
    queue = await stage.queue()
    for name, where, said in (
        ("in a conversation", room, IN_ROOM),
        ("in the queue", queue, IN_QUEUE),
    ):
        lines = []
        for text in said:
            answer = plain(await answered(stage, where, ALICE, text))
            lines += [f"> {text}", answer, ""]
        golden.check("agents.txt", name, "\n".join(lines))


async def test_what_somebody_who_is_no_agent_reads(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs._member(room, ALICE, EVE, "invite")
    stage.hs.join(EVE, room.id)
    lines = []
    for text in ("!reply Hello", "!take", "!help", "!contact"):
        lines += [f"> {text}", await answered(stage, room, EVE, text), ""]
    golden.check("agents.txt", "to a guest", "\n".join(lines))


async def test_what_is_said_in_a_room_that_goes_on_elsewhere(stage: Stage) -> None:
    await begun(stage)
    await control_room(stage)
    await stage.mail(mail(subject="Another", message_id="<m2@customer.example>"))
    room = await stage.conversation(2)
    stage.hs.join(ALICE, room.id)
    lines = []
    for text in ("!merge 1", "!reply Hello", "!close", "!merge 1", "!info"):
        lines += [f"> {text}", plain(await answered(stage, room, ALICE, text)), ""]
    golden.check("agents.txt", "merged", "\n".join(lines))
