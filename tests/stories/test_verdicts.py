"""What the outgoing server says, and what is done about it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.smtp import Fault
from tests.stage import ALICE, AUTHSERV, PASSED, Stage, mail, until
from tests.stories.desk import begun


async def test_one_refused_recipient_does_not_hold_the_others(stage: Stage) -> None:
    gone = "gone@partner.example"
    room = await begun(stage, mail(Cc=gone, Authentication_Results=PASSED), authserv_id=AUTHSERV)
    stage.smtp.script = [Fault("rcpt", "550 5.1.1 no such user", recipients=(gone,))]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "not to gone@partner.example (550 5.1.1 no such user)")
    assert stage.smtp.accepted()[0]["to"] == ["carla@customer.example"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("mail", "550 5.7.1 go away"), "❌ failed: 550 5.7.1 go away"),
        (Fault("rcpt", "550 5.1.1 unknown"), "❌ failed: 550 5.1.1 unknown"),
        (Fault("dot", "554 5.6.0 spam"), "❌ failed: 554 5.6.0 spam"),
        (Fault("mail", "451 4.7.1 greylisted"), "⏳ deferred (451 4.7.1 greylisted)"),
        (Fault("banner", "421 too busy"), "⏳ deferred (421 too busy)"),
        (Fault("banner", cut=True), "⏳ deferred ("),
        (Fault("data", "451 no room"), "⏳ deferred (451 no room)"),
        (Fault("dot", cut=True), "❓ the server did not confirm"),
        (Fault("after", cut=True), "❓ the server did not confirm"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.at} {value.answer}",
)
async def test_what_the_server_says_is_told_and_a_retry_sends_once(
    stage: Stage, fault: Fault, text: str
) -> None:
    room = await begun(stage, sent_copy="never")
    stage.smtp.script = [fault]
    command = stage.hs.say(ALICE, room.id, "!reply Hello")
    status = await stage.sees(room, text)
    signs = [key for _, key in stage.hs.reactions(room, command)]
    await until(lambda: [k for _, k in stage.hs.reactions(room, command)], "the sign")
    assert signs in ([], [text[0]])
    before = len(stage.smtp.accepted())
    stage.hs.react(ALICE, room.id, status["event_id"], "🔁")
    await stage.sees(room, "✅ sent")
    await stage.quiet()
    assert len(stage.smtp.accepted()) == before + 1
    await until(lambda: [k for _, k in stage.hs.reactions(room, command)] == ["✅"], "✅ alone")


async def test_an_unconfirmed_mail_is_never_sent_again_by_itself(stage: Stage) -> None:
    room = await begun(stage, sent_copy="never")
    stage.smtp.script = [Fault("after", cut=True)]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    status = await stage.sees(room, "❓")
    await stage.quiet()
    stage.hs.react(ALICE, room.id, status["event_id"], "✅")
    await stage.sees(room, "✅ sent")
    assert len(stage.smtp.accepted()) == 1


async def test_by_policy_an_unconfirmed_mail_goes_again_with_the_same_bytes(stage: Stage) -> None:
    room = await begun(stage, on_unknown="retry", sent_copy="never")
    stage.smtp.script = [Fault("after", cut=True)]
    stage.hs.say(ALICE, room.id, "!reply Hello")
    status = await stage.sees(room, "deferred (the server did not confirm)")
    assert "stops it" not in status["content"]["body"]  # it may have arrived
    stage.hs.say(ALICE, room.id, "!undo")
    await stage.sees(room, "Too late: ⏳ deferred (the server did not confirm)")
    stage.hs.say(ALICE, room.id, "!retry")
    await stage.sees(room, "✅ sent")
    first, second = (entry["raw"] for entry in stage.smtp.accepted())
    assert first == second


async def test_an_unconfirmed_mail_in_the_sent_folder_was_sent(stage: Stage) -> None:
    room = await begun(stage)
    stage.smtp.script = [Fault("after", cut=True)]
    original = stage.app.desk.mailbox.find_sent
    found: list[Any] = []

    async def after_the_provider_kept_it(inbox, message_id):  # type: ignore[no-untyped-def]  # as ports.Mailbox
        if not found:
            found.append(message_id)
            await stage.app.desk.mailbox.append_sent(inbox, stage.smtp.accepted()[0]["raw"])
        return await original(inbox, message_id)

    stage.app.desk.mailbox.find_sent = after_the_provider_kept_it  # type: ignore[method-assign]  # the provider's part
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sees(room, "✅ sent")
    assert len(stage.smtp.accepted()) == 1


async def test_deliveries_leave_in_order_but_a_deferred_one_holds_nobody_up(stage: Stage) -> None:
    room = await begun(stage)
    stage.smtp.script = [Fault("mail", "451 later")]
    stage.hs.say(ALICE, room.id, "!reply First")
    stage.hs.say(ALICE, room.id, "!reply Second")
    stage.hs.say(ALICE, room.id, "!reply Third")
    mails = await stage.sent(2)
    texts = [m.get_body(("plain",)).get_content().strip() for m in mails]  # type: ignore[union-attr]  # they have texts
    assert texts == ["Second", "Third"]
