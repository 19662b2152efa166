"""Commands as people type them: what counts as said, and that no slip is met with silence."""

from __future__ import annotations

import pytest

from bridge.chat.command import CommandReader
from bridge.desk.events.commands import WORDS
from tests.stage import ADMIN, ALICE, EVE, Stage
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_order import answered

INFO = "State: open"
COMMANDS = CommandReader("!", WORDS)
TYPED = {
    # as it should be
    "!info": INFO, "!INFO": INFO, "!Info": INFO, "!info ": INFO, "!info\n": INFO,
    # blanks and what nobody sees, before and after
    " !info": INFO, "\n\n!info": INFO, "\t!info": INFO, "\u00a0!info": INFO, "\u202f!info": INFO,
    "\u200b!info": INFO, "\ufeff!info": INFO, "\u2060!info": INFO, "\u00ad!info": INFO,
    "!info\u00a0": INFO, "!info\u202f": INFO, "!info\u200b": INFO, "!info\ufeff": INFO,
    "!\u200binfo": INFO, "\u200e!info": INFO, "\u3000!info": INFO,
    # a blank behind the prefix, a colon behind the word, other keyboards
    "! info": INFO, "!  info": INFO, "!\u00a0info": INFO, "!info:": INFO, "!info :": INFO,
    "！info": INFO, "！ info": INFO, "!info：": INFO, "/info": INFO, " /info": INFO, "/INFO:": INFO,
    # a near miss
    "!inof": "Did you mean !info?", "!infos": "Did you mean !info?",
    "!inf": "Did you mean !info?", "!rpely Hello": "Did you mean !reply?",
    "!replay": "Did you mean !reply?", "!repl": "Did you mean !reply?",
    "!help": "!help all lists all", "!antwort": "!help lists them",
    "!reply,hello": "Did you mean !reply?",
    "!reply.": "Did you mean !reply?", "!reply!": "Did you mean !reply?",
    "!reply-all Hello": "Did you mean !reply?", "!replyhello": "Did you mean !reply?",
    "!clsoe": "Did you mean !close?", "!asign @bob": "Did you mean !assign?",
    "!snoze 2d": "Did you mean !snooze?", "!fwd bob@x.example": "!help lists them",
    "!schließen": "!help lists them", "!Важно": "!help lists them",
    # in another room
    "!compose a@b.example": "works in the queue room", "!erase a@b.example": "the control room",
    "!inbox list": "",
    # what is missing
    "!reply": "!reply", "!assign": "!assign", "!snooze": "Say until when",
    "!merge": "Say with which",
    "!forward": "!forward", "!tag": "", "!help rpely": "No command !rpely here",
    "!help: info": "Show", "!priority x": "",
}  # fmt: skip
"""What an agent types in a conversation's room, and a part of the answer."""
TALK = ("!", "!!", "!!!", "!1", "! attention please", "/shrug", "/me waves", "/", "please !info",
        "1 !info", "> !info", "!?", "! !info", "•!info", "¡info!", "\\!info")  # fmt: skip


async def test_sixty_ways_to_type_a_command_and_their_answers(stage: Stage) -> None:
    assert len(TYPED) >= 60
    room = await begun(stage)
    for text, wanted in TYPED.items():
        answer = await answered(stage, room, ALICE, text)
        assert wanted in answer, (text, answer)
    await stage.quiet()
    assert stage.smtp.accepted() == []


@pytest.mark.parametrize("text", TALK)
def test_talk_is_no_command(text: str) -> None:
    assert COMMANDS.of_text(text) is None


async def test_guests_are_answered_only_what_they_could_have_meant(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs._member(room, ALICE, EVE, "invite")
    stage.hs.join(EVE, room.id)
    assert "Only agents" in await answered(stage, room, EVE, "! info")
    before = len(stage.hs.bodies(room))
    stage.hs.say(EVE, room.id, "!rpely")
    await answered(stage, room, ALICE, "!info")
    await stage.quiet()
    assert len(stage.hs.bodies(room)) == before + 3  # hers, Alice's and the answer to that


async def test_the_text_of_a_mail_has_no_trace_of_how_the_command_was_typed(stage: Stage) -> None:
    room = await begun(stage)
    for number, text in enumerate(
        ("\u200b!reply: One\u00a0", "！ reply\nOne", "/Reply\u202fOne"), 1
    ):
        stage.hs.say(ALICE, room.id, text)
        sent = (await stage.sent(number))[-1]
        assert sent.get_body(("plain",)).get_content().strip() == "One"  # type: ignore[union-attr]  # it has one


async def test_an_edit_never_becomes_a_command_and_says_so(stage: Stage) -> None:
    room = await begun(stage)
    for first in ("Let us close this", "!clsoe"):
        said = stage.hs.say(ALICE, room.id, first)
        stage.hs.edit(ALICE, room.id, said, "!close")
        await stage.sees(room, "An edit is never a command; nothing was done. Say !close anew.")
    await stage.quiet()
    assert "State: open" in await answered(stage, room, ALICE, "!info")


async def test_near_misses_in_queue_and_control_room(stage: Stage) -> None:
    await begun(stage)
    queue, control = await stage.queue(), await control_room(stage)
    assert "Did you mean !list?" in await answered(stage, queue, ALICE, "!lits")
    await ask(stage, control, "!stauts", "Did you mean !status?")
    await ask(stage, control, " ! status", "Waiting jobs")
    await ask(stage, control, "!ibnox list", "Did you mean !inbox?")


@pytest.mark.parametrize(
    ("body", "formatted"),
    [
        ("!agent add Eve lead", '!agent add <a href="https://matrix.to/#/@eve:fake.local">Eve</a>'),
        ("!agent add [@eve:fake.local](https://matrix.to/#/@eve:fake.local) lead", ""),
        ("!agent add [Eve](https://matrix.to/#/%40eve%3Afake.local?via=x) lead", ""),
        ("!agent add @eve:fake.local lead", ""),
    ],
)  # fmt: skip
async def test_agent_add_takes_a_mention(stage: Stage, body: str, formatted: str) -> None:
    await begun(stage)
    control = await control_room(stage)
    more = {"format": "org.matrix.custom.html", "formatted_body": formatted} if formatted else {}
    answer = await answered(stage, control, ADMIN, body, **more)
    assert EVE in answer
    assert "is invited to Support queue and is a lead once there." in answer


async def test_help_shows_ten_commands_and_help_all_the_rest(stage: Stage) -> None:
    room = await begun(stage)
    short = (await answered(stage, room, ALICE, "!help")).splitlines()
    assert sum(line.startswith("!") for line in short) == 10 + 1
    every = await answered(stage, room, ALICE, "!help all")
    assert "!merge #NUMBER" in every
    assert "📧" in every
    control = await control_room(stage)
    await ask(stage, control, "!help rule", "For example:\n!rule add support\nname: invoices")
