"""An inbox goes live, also where its test failed, if an admin says so."""

from __future__ import annotations

from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, SUPPORT, Stage
from tests.stories.desk import ask
from tests.stories.test_inbox import empty

BEGINS = (f"!inbox add {SUPPORT}", "127.0.0.1:1", "none", "geheim123", "local", ALICE)
"""An inbox whose server does not answer."""


async def failed_test(stage: Stage, control: Room) -> None:
    stage.hs.say(ADMIN, control.id, "!inbox test support")
    await stage.sees(control, "❌")
    await stage.quiet()


async def test_publish_asks_where_the_last_test_failed(stage: Stage) -> None:
    control = await empty(stage)
    for said in BEGINS:
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
    for said in BEGINS:
        await ask(stage, control, said)
    await failed_test(stage, control)
    await ask(stage, control, f"!inbox set support imap.port {stage.imap.port}")
    await ask(stage, control, "!inbox publish support", "is live")


async def test_the_walk_explains_goes_back_and_stores_no_question_mark(stage: Stage) -> None:
    control = await empty(stage)
    await ask(stage, control, f"!inbox add {SUPPORT}", "Where is the mailbox?", "? explains")
    await ask(stage, control, "back", "This is the first question.", "Where is the mailbox?")
    await ask(stage, control, "?", "the IMAP or incoming server", "Where is the mailbox?")
    await ask(stage, control, "mx.acme.example", "What is the password")
    for said in ("?", "？", "!help", "!no", "ok"):
        answer = await ask(stage, control, said)
        assert "Kept encrypted" not in answer, said
    await ask(stage, control, "back", "Where is the mailbox?")
    await ask(stage, control, "mx.acme.example", "What is the password")
    await ask(stage, control, "geheim123", "Kept encrypted", "Which server sends its mail?")
    await ask(stage, control, "ok", "Does mx.acme.example take the same user")
    await ask(stage, control, "no", "“no” is no answer to that.")
    await ask(stage, control, "back", "Which server sends its mail?")
    await ask(stage, control, "smtp.acme.example:2525", "How is port 2525 of smtp.acme.example")
    await ask(stage, control, "starttls", "Does smtp.acme.example take the same user")
    await ask(stage, control, "same", "Who answers this mail?")
    await ask(stage, control, "!inbox show support", "smtp.tls: starttls", "smtp.user: support@")
    await ask(stage, control, "stop", "Stopped. Draft support is kept")


async def test_the_faults_of_a_rule_come_all_at_once_with_an_example(stage: Stage) -> None:
    await stage.open()
    control = await stage.enter("Postroom control", ADMIN)
    rule = "!rule add support\nname: a\nwehn: {subject: x}\nthen: {tga: y, assign: bob}"
    said = await ask(stage, control, rule, "1.wehn: there is no such key", "1.then.tga: there is")
    assert "A rule looks like this:\nname: invoices" in said
    rule = "!rule add support\nname: a\nwhen: {}\nthen: {snippet: none, assign: '@eve:fake.local'}"
    await ask(stage, control, rule, "there is no snippet none", "is not an agent of Support")
