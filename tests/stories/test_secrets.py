"""Passwords said in the control room in every clumsy way: redacted, and kept nowhere readable."""

from __future__ import annotations

import pytest

from bridge.desk.admin import sealed
from tests.stage import ADMIN, EVE, SUPPORT, Stage, until
from tests.stories.desk import ask
from tests.stories.test_inbox import CANARY, empty, gone, nowhere, set_up


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
