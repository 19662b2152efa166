"""Passwords said in the control room in every clumsy way: redacted, and kept nowhere readable."""

from __future__ import annotations

import pytest

from bridge.desk.admin import sealed
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, EVE, SUPPORT, Stage, until
from tests.stories.desk import ask, begun
from tests.stories.test_inbox import empty, set_up

CANARY = "qanarienvogel"


@pytest.mark.parametrize(
    "said",
    [
        f"!inbox set support imap.password {CANARY}",
        f"!inbox set support imap.pasword {CANARY}",
        f"!INBOX SET nowhere smtp.password {CANARY}",
        f"!inbox set nowhere passwort {CANARY}",
        f"!inbox set imap.password {CANARY}",
        f"!inbox set support imap.password={CANARY}",
        f"!inbox password support {CANARY}",
        f"!inbox set support {CANARY} imap.password",
    ],
)
async def test_T31_a_password_in_chat_is_redacted_and_kept_nowhere_in_the_clear(
    stage: Stage, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await ask(stage, control, said)
    await gone(stage, control)
    await stage.quiet()
    await nowhere(stage)
    assert CANARY not in capsys.readouterr().out


async def gone(stage: Stage, room: Room) -> None:
    await until(lambda: CANARY not in str([e["content"] for e in room.events]), "the redaction")


async def nowhere(stage: Stage) -> None:
    """The canary stands in no table, and on SQLite in no byte of the files."""
    for table in ("event", "post", "inbox", "audit", "setting", "job"):
        found = await rows(stage.database, stage.folder, f"SELECT * FROM {table}")
        assert CANARY not in str(found), table
    for file in stage.folder.glob("postroom.db*"):
        assert CANARY.encode() not in file.read_bytes(), file


async def test_a_password_given_as_an_answer_or_an_edit_is_wiped_too(stage: Stage) -> None:
    control = await empty(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}", "Where is the mailbox?")
    await ask(stage, control, "imap.example.com", "What is the password")
    await ask(stage, control, f"{CANARY}\nand a line", "A password has no line break")
    event = stage.hs.say(ADMIN, control.id, f"!{CANARY}")
    await stage.sees(control, "🔒 Kept encrypted")
    await gone(stage, control)
    stage.hs.edit(ADMIN, control.id, event, f"!inbox set support imap.password {CANARY}2")
    await gone(stage, control)
    await stage.quiet()
    await nowhere(stage)


async def test_a_password_typed_into_a_conversation_is_wiped_and_does_nothing(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.say(ALICE, room.id, f"!inbox set support imap.password {CANARY}")
    await stage.sees(room, "!inbox works in the control room. Nothing was done.")
    await gone(stage, room)
    await stage.quiet()
    await nowhere(stage)


@pytest.mark.parametrize(
    "said",
    [
        f" !inbox set support imap.password {CANARY}",
        f"\xa0!inbox set support imap.password {CANARY}",
        f"```\n!inbox set support imap.password {CANARY}\n```",
        f"! inbox set support imap.password {CANARY}",
        f"inbox set support imap.password {CANARY}",
        f"!inbx set support imap.password {CANARY}",
        f"!set support imap.pasword {CANARY}",
        f"!status\n!inbox set support imap.password {CANARY}",
        f"!inbox set support imap.user a imap.password {CANARY}",
        f"!inbox add {SUPPORT} {CANARY}",
        f"the pwd is {CANARY}",
        f"!inbox set {CANARY} imap.password support",
    ],
)
async def test_a_password_is_redacted_however_it_is_said(
    stage: Stage, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    stage.hs.say(ADMIN, control.id, said)
    await gone(stage, control)
    await stage.quiet()
    await nowhere(stage)
    assert CANARY not in capsys.readouterr().out


async def test_what_anybody_says_while_a_password_is_asked_for_is_redacted(stage: Stage) -> None:
    control = await empty(stage)
    stage.hs._member(control, ADMIN, EVE, "invite")
    stage.hs.join(EVE, control.id)
    await ask(stage, control, f"!inbox add {SUPPORT}", "Where is the mailbox?")
    await ask(stage, control, "imap.example.com", "What is the password")
    stage.hs.say(EVE, control.id, CANARY)  # no admin
    await gone(stage, control)
    await ask(stage, control, "!erase nobody@else.where", "Nothing is known")
    await ask(stage, control, "!no", "“no” is no answer to that.", "What is the password")
    await ask(stage, control, CANARY, "🔒 Kept encrypted")
    await gone(stage, control)
    await stage.quiet()
    await nowhere(stage)


async def test_a_question_about_a_deed_leaves_the_drafts_question_open(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await ask(stage, control, "!inbox add sales@acme.example", "Where is the mailbox?")
    await ask(stage, control, "imap.example.com", "What is the password")
    await ask(stage, control, "!inbox remove support", "!yes removes it")
    await ask(stage, control, "!no", "Nothing was done.")
    await ask(stage, control, CANARY, "🔒 Kept encrypted", "Which server sends its mail?")
    await gone(stage, control)


async def test_talk_about_passwords_is_redacted_and_told_of(stage: Stage) -> None:
    control = await empty(stage)
    stage.hs.say(ADMIN, control.id, "is the password still good?")
    await stage.sees(control, "is being redacted, for it may hold a password")
    await until(lambda: "still good" not in str([e["content"] for e in control.events]), "it gone")
    await ask(stage, control, "!help password", "No command !password here")


def test_an_answer_repeats_nothing_that_was_said() -> None:
    said = f"!inbox set {CANARY} imap.password support"
    assert CANARY not in sealed.mask_secrets(f"There is no inbox {CANARY}; !inbox list", said)
    kept = "Say what: !inbox set INBOX KEY VALUE"
    assert sealed.mask_secrets(kept, "!inbox set imap.password") == kept
