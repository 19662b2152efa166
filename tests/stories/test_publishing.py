"""An inbox goes live, also where its test failed, if an admin says so."""

from __future__ import annotations

from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, SUPPORT, Stage
from tests.stories.desk import ask
from tests.stories.test_inbox import empty


async def failed_test(stage: Stage, control: Room) -> None:
    stage.hs.say(ADMIN, control.id, "!inbox test support")
    await stage.sees(control, "❌")
    await stage.quiet()


async def test_publish_asks_where_the_last_test_failed(stage: Stage) -> None:
    control = await empty(stage)
    for said in (f"!inbox add {SUPPORT}", "127.0.0.1:1", "geheim123", "local", ALICE,
                 "!inbox set support imap.tls none"):  # fmt: skip
        await ask(stage, control, said)
    await failed_test(stage, control)
    asked = await ask(stage, control, "!inbox publish support", "its last test failed.")
    assert "say !inbox test support again, or !inbox publish support anyway." in asked
    assert stage.hs.named("Support queue") is None
    await ask(stage, control, "!inbox set support name Helpdesk")
    await failed_test(stage, control)
    await ask(stage, control, "!inbox publish support anyway for now", "is live")
    await ask(stage, control, "!audit 1", "inbox support: published (for now)")


async def test_what_was_set_since_the_test_may_have_mended_it(stage: Stage) -> None:
    control = await empty(stage)
    for said in (f"!inbox add {SUPPORT}", "127.0.0.1:1", "geheim123", "local", ALICE,
                 "!inbox set support imap.tls none"):  # fmt: skip
        await ask(stage, control, said)
    await failed_test(stage, control)
    await ask(stage, control, f"!inbox set support imap.port {stage.imap.port}")
    await ask(stage, control, "!inbox publish support", "is live")
