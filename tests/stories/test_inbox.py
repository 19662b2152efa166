"""Inboxes set up, changed, paused and removed by chat."""

from __future__ import annotations

import pytest

from bridge.config.vault import new_key
from tests.servers.database import rows
from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, BOB, EVE, PASSWORD, SUPPORT, Stage, mail, until
from tests.stories.desk import ask

CANARY = "qanarienvogel"


async def empty(stage: Stage) -> Room:
    """A bridge without an inbox; returns the control room, the admin inside."""
    config = stage.config()
    config["inboxes"] = {}
    await stage.open(config)
    control = await stage.enter("Postroom control", ADMIN)
    return control


async def set_up(stage: Stage, control: Room, password: str = PASSWORD) -> None:
    """A published inbox, set up by chat."""
    for said in (f"!inbox add {SUPPORT}", f"127.0.0.1:{stage.imap.port}", "none", password,
                 "local", f"{ALICE} {BOB}",
                 f"!inbox set support smtp.port {stage.smtp.port}", "!inbox set support undo 0",
                 "!inbox publish support"):  # fmt: skip
        last = await ask(stage, control, said)
    assert "is live" in last, last
    await stage.queue(ALICE)


async def test_an_inbox_is_set_up_by_chat_alone(stage: Stage) -> None:
    control = await empty(stage)
    await ask(stage, control, "!inbox list", "No inbox yet. !inbox add ADDRESS sets one up.")
    await ask(
        stage, control, f"!inbox add {SUPPORT}", "Draft support begun", "Where is the mailbox?"
    )
    await ask(
        stage, control, "not a host!", "not a … is not a server name", "Where is the mailbox?"
    )
    await ask(stage, control, f"127.0.0.1:{stage.imap.port}", "implicit, starttls or none?")
    await ask(stage, control, "none", "What is the password of support@")
    await ask(stage, control, PASSWORD, "🔒 Kept encrypted", "Which server sends its mail?")
    await ask(stage, control, "local", "Who answers this mail?")
    await ask(stage, control, "bob", "… is not a Matrix ID; write it like @…:example.com.")
    await ask(stage, control, ALICE, "Draft support is complete. !inbox test support tries it")
    await ask(stage, control, "!inbox set support imap.hots x", "did you mean imap.host?")
    await ask(
        stage,
        control,
        "!inbox set support imap.tls no",
        "imap.tls: 'no' does not fit: input should be 'implicit', 'starttls' or 'none'.",
    )
    await ask(
        stage, control, "!inbox set support imap.tls none", "imap.tls of support is now none."
    )
    await ask(stage, control, f"!inbox set support smtp.port {stage.smtp.port}", "is now")
    await ask(stage, control, "!inbox set support undo 0", "undo of support is now 0.")
    await ask(
        stage, control, "!inbox show support", "support: draft", "imap.password: set, not shown"
    )
    assert stage.hs.named("Support queue") is None
    await ask(stage, control, "!inbox publish support first inbox", "is live", ALICE)
    queue = await stage.queue(ALICE)
    await until(lambda: checked(stage), "the first check")
    await stage.mail(mail())
    await stage.sees(queue, "#1 Carla Customer")
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello Carla")
    (sent,) = await stage.sent()
    assert sent["From"].endswith(f"<{SUPPORT}>")
    await ask(stage, control, "!inbox list", f"support · Support <{SUPPORT}> · live · chat")
    await ask(stage, control, "!audit", "inbox support: published (first inbox)",
              "inbox support: set imap.password", f"· Admin ({ADMIN}) ·")  # fmt: skip


async def checked(stage: Stage) -> bool:
    async with stage.app.database.reading() as tx:
        for account in stage.app.desk.settings.accounts():
            return await tx.settings.health(account) is not None
    return False


async def test_an_inbox_of_the_file_is_read_only_in_chat(stage: Stage) -> None:
    await stage.open()
    control = await stage.enter("Postroom control", ADMIN)
    await ask(stage, control, "!inbox list", f"support · Support <{SUPPORT}> · live · config.yaml")
    for said in ("set support undo 5", "pause support", "remove support", "publish support"):
        await ask(
            stage, control, f"!inbox {said}", "support is in config.yaml, which chat does not"
        )
    shown = await ask(stage, control, "!inbox show support", "read-only here", "undo: 0")
    assert PASSWORD not in shown
    await ask(stage, control, f"!inbox add {SUPPORT}", "belongs to inbox support already")


async def test_what_is_set_on_a_live_inbox_takes_effect_without_a_restart(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await ask(
        stage, control, "!inbox set support name Help desk", "name of support is now Help desk."
    )
    await stage.room("Help desk queue")
    await ask(stage, control, "!inbox set support imap.port 99999999", "Nothing was changed.")
    await ask(stage, control, "!inbox pause support", "support is paused: no mail is read")
    await ask(stage, control, "!inbox list", "· paused ·")
    await stage.mail(mail())
    await ask(stage, control, "!inbox resume support", "support is live again")
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply Hello")
    await stage.sent()


async def test_an_inbox_is_removed_after_a_question_and_what_stays_stays(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    await ask(stage, control, "!inbox remove support", "Remove Support", "1 conversation with",
              "!export support saves", "!yes removes it, !no keeps it.")  # fmt: skip
    await ask(stage, control, "!no", "Nothing was done.")
    await ask(stage, control, "!yes", "There is no question here that waits for your answer.")
    await ask(stage, control, "!inbox set support undo 600")
    stage.hs.say(ALICE, room.id, "!reply too late")
    await stage.sees(room, "❌ stops it")
    await ask(stage, control, "!inbox remove support", "Remove Support")
    await ask(stage, control, "!yes", "support is removed.")
    await stage.sees(room, "the inbox was removed, nothing was sent")
    stage.hs.say(ALICE, room.id, "!reply and now")
    await stage.sees(room, "has no outgoing server; nothing was sent")
    await ask(stage, control, "!inbox list", "No inbox yet.")
    assert stage.smtp.accepted() == []
    for _ in range(2):  # throwing that draft away keeps what was there before
        await ask(stage, control, f"!inbox add {SUPPORT}", "its conversations come back with it",
                  "What is the password")  # fmt: skip
        await ask(stage, control, "!inbox remove support", "Throw draft support away?")
        await ask(stage, control, "!yes", "Draft support is thrown away.")


async def test_talk_is_no_answer_unless_its_writer_was_asked(stage: Stage) -> None:
    control = await empty(stage)
    stage.hs._member(control, ADMIN, EVE, "invite")
    stage.hs.join(EVE, control.id)
    stage.hs.say(ADMIN, control.id, "good morning")
    await ask(stage, control, "!inbox add", "Which address is it?")
    await ask(stage, control, "stop", "Stopped.")
    await ask(stage, control, "!inbox add", "Which address is it?")
    stage.hs.say(EVE, control.id, "eve@evil.example")
    await ask(stage, control, "nonsense", "… is not a valid email address")
    await ask(stage, control, SUPPORT, "Where is the mailbox?")
    await ask(stage, control, "stop", "Stopped. Draft support is kept")
    stage.hs.say(ADMIN, control.id, "talk among people")
    await ask(stage, control, "!inbox list", f"<{SUPPORT}> · draft · chat")
    assert not any("talk among people" in body for body in stage.hs.bodies(control)[-1:])


async def test_a_paused_inbox_sends_nothing_until_it_goes_on(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await stage.mail(mail())
    room = await stage.conversation()
    stage.hs.join(ALICE, room.id)
    await ask(stage, control, "!inbox set support undo 2")
    stage.hs.say(ALICE, room.id, "!reply Not yet")
    await stage.sees(room, "❌ stops it")
    await ask(stage, control, "!inbox pause support")

    async def held() -> bool:
        waiting = await rows(stage.database, stage.folder, "SELECT last_error FROM job")
        return "paused" in str(waiting)

    await until(held, "the mail to be held")
    assert stage.smtp.accepted() == []
    await ask(stage, control, "!inbox resume support")
    await stage.sent()


async def test_a_password_that_no_key_opens_is_set_anew(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await stage.mail(mail())
    room = await stage.conversation()
    await ask(stage, control, f"!inbox set support smtp.password {PASSWORD}")
    await stage.quiet()
    await stage.close()
    (stage.folder / "postroom.key").write_text(new_key())
    config = stage.config()
    config["inboxes"] = {}
    await stage.open(config)
    await ask(stage, control, "!status", "support: cannot be used: encryption_key does not open")
    stage.hs.join(ALICE, room.id)
    stage.hs.say(ALICE, room.id, "!reply It waits, and is not lost")
    for key in ("imap", "smtp"):
        await ask(stage, control, f"!inbox set support {key}.password {PASSWORD}", "🔒 Kept")
    await stage.sent()


async def test_an_inbox_whose_key_is_lost_can_be_removed_and_the_room_answers(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await stage.quiet()
    await stage.close()
    (stage.folder / "postroom.key").write_text(new_key())
    config = stage.config()
    config["inboxes"] = {}
    await stage.open(config)
    await ask(stage, control, "!agent list", "support: cannot be used")
    await ask(stage, control, "!inbox remove support", f"Remove Support <{SUPPORT}>?")
    await ask(stage, control, "!yes", "support is removed.")
    await ask(stage, control, "!inbox list", "No inbox yet.")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("imap.folders ,", "should have at least 1 item"),
        ("imap.user a b", "imap.user takes one word"),
        ("imap.poll 1000000000000000000000", "less than or equal to 86400"),
        ("sender_name {agent.__class__}", "knows only {agent} and {inbox}"),
        ("sender_name {inbox!r:>500000}", "knows only {agent} and {inbox}"),
        ("name a\u202eb", "one line of at most 200 ordinary characters"),
        ("name " + "x" * 300, "at most 80 characters"),
    ],
)
async def test_odd_values_are_refused(stage: Stage, said: str, answer: str) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await ask(stage, control, f"!inbox set support {said}", answer, "Nothing was changed.")


async def test_folders_whose_names_hold_blanks_are_set_by_chat(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    await ask(stage, control, "!inbox set support imap.folders INBOX, Sent Items", "is now")
    assert stage.app.desk.settings.inboxes["support"].imap.folders == ("INBOX", "Sent Items")  # type: ignore[index,union-attr]  # InboxId is a str
    await ask(stage, control, "!inbox set support name a\0b", "name of support is now ab.")
    await ask(stage, control, "!audit " + "9" * 5000, "published")
