"""`!inbox test`: a mail to itself that must come back, and reply addresses that follow from it."""

from __future__ import annotations

import re

import pytest

from bridge.operate import roundtrip
from tests import golden
from tests.servers.smtp import Fault
from tests.stage import ADMIN, ALICE, SUPPORT, Stage, mail
from tests.stories.desk import begun, junk_folder

GOLDEN = "inbox_test.txt"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundtrip, "RETURN", 2.0)
    monkeypatch.setattr(roundtrip, "TAG_RETURN", 1.0)


async def answer_to_test(stage: Stage, name: str) -> str:
    """The whole answer to `!inbox test support`; its last lines are golden."""
    control = await stage.enter("Postroom control", ADMIN)
    stage.hs.say(ADMIN, control.id, "!inbox test support")
    told = await stage.sees(control, f"Test of support <{SUPPORT}>:")
    body = str(told["content"]["body"])
    plain = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", re.sub(r"after \d+ s", "after N s", body))
    golden.check(GOLDEN, f"whole: {name}", plain)
    return body


def deliver(stage: Stage, *, tags: bool, folder: str = "INBOX") -> None:
    """Have what is sent to support@ arrive there."""

    async def relay(recipients: list[str], raw: bytes) -> None:
        for spec in recipients:
            if spec == SUPPORT or (tags and spec.startswith("support+")):
                await stage.imap.append(SUPPORT, raw, folder)

    stage.smtp.relay = relay


async def test_a_mail_to_itself_comes_back_and_becomes_no_room(stage: Stage) -> None:
    await stage.open()
    deliver(stage, tags=True)
    assert "everything works" in await answer_to_test(stage, "everything works")
    await stage.quiet()
    queue = await stage.room("Support queue")
    assert not any(body.startswith("#1") for body in stage.hs.bodies(queue))
    await stage.mail(mail())
    await stage.conversation(1)


async def test_answers_get_a_reply_address_once_a_tagged_mail_arrived(stage: Stage) -> None:
    room = await begun(stage)
    deliver(stage, tags=True)
    await answer_to_test(stage, "with a mail in the mailbox")
    before = len(stage.smtp.accepted())
    stage.hs.say(ALICE, room.id, "!reply Hello")
    sent = (await stage.sent(before + 1))[-1]
    address = str(sent["Reply-To"])
    assert re.fullmatch(r"support\+1-[a-z2-7]{26}@acme\.example", address)
    # a stranger who writes to that address, with no header that names the thread, is in the thread
    await stage.mail(
        mail(
            "From my other address.",
            message_id="<m2@other.example>",
            sender="carla@other.example",
            to=address,
            subject="Something else",
        )
    )
    await stage.sees(room, "From my other address.")
    forged = address.replace("+1-a", "+1-b").replace("+1-", "+2-")
    await stage.mail(
        mail("Guessed.", message_id="<m3@x.example>", sender="eve@x.example", to=forged)
    )
    await stage.sees(await stage.conversation(2), "Guessed.")
    stage.hs.say(ALICE, room.id, "!cc")
    shown = await stage.sees(room, "The next email goes")
    assert "support+" not in shown["content"]["body"]


async def test_a_provider_without_tags_is_told_and_gets_none(stage: Stage) -> None:
    room = await begun(stage)
    deliver(stage, tags=False)
    assert "it works, with remarks" in await answer_to_test(stage, "without tags")
    before = len(stage.smtp.accepted())
    stage.hs.say(ALICE, room.id, "!reply Hello")
    assert (await stage.sent(before + 1))[-1]["Reply-To"] is None


async def test_a_mail_that_comes_back_as_junk_is_found_there(stage: Stage) -> None:
    await stage.open()
    await junk_folder(stage)
    deliver(stage, tags=False, folder="Junk")
    assert "came back into Junk" in await answer_to_test(stage, "junk")


async def test_a_mail_that_never_comes_back_is_told(stage: Stage) -> None:
    await stage.open()
    assert "something does not work" in await answer_to_test(stage, "never back")


async def test_a_server_that_does_not_take_mail_to_itself(stage: Stage) -> None:
    await stage.open()
    # the connection that looks at the door, the one that tries the sender, then the mail
    refused = "550 5.1.1 No such user"
    stage.smtp.script = [Fault(""), Fault(""), Fault("rcpt", refused), Fault("rcpt", refused)]
    assert "was not taken (550 5.1.1 No such user)" in await answer_to_test(stage, "not taken")


async def test_a_draft_that_is_not_whole_cannot_be_tested(stage: Stage) -> None:
    await stage.open()
    control = await stage.enter("Postroom control", ADMIN)
    stage.hs.say(ADMIN, control.id, "!inbox add sales@acme.example")
    await stage.sees(control, "Where is the mailbox?")
    stage.hs.say(ADMIN, control.id, "imap.acme.example")
    await stage.sees(control, "What is the password of sales@acme.example")
    stage.hs.say(ADMIN, control.id, "!inbox test sales")
    await stage.sees(control, "sales cannot be used yet: imap: imap needs user and password.")
    stage.hs.say(ADMIN, control.id, "!inbox test nowhere")
    await stage.sees(control, "There is no inbox …; !inbox list shows them.")


async def test_a_test_that_a_crash_cut_off_is_made_anew(stage: Stage) -> None:
    await stage.open()
    deliver(stage, tags=True)
    control = await stage.enter("Postroom control", ADMIN)
    stage.hs.say(ADMIN, control.id, "!inbox test support")
    await stage.sees(control, f"Testing support <{SUPPORT}> …")
    await stage.close()
    await stage.open()
    await stage.sees(control, f"Test of support <{SUPPORT}>: everything works")
