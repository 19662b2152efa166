"""Mail in: which conversation, which inbox, how it is shown, and what happens to odd mail."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from bridge.demo.ports import free_ports
from bridge.desk.inbound.accept import accept
from bridge.imap.connection import ImapConnection
from tests.stage import (
    ADMIN,
    ALICE,
    PASSWORD,
    SALES,
    SUPPORT,
    Stage,
    mail,
    until,
)
from tests.stories.desk import begun

REPLY = {"In_Reply_To": "<m1@customer.example>"}


async def rooms(stage: Stage) -> list[str]:
    return sorted(
        event["content"]["name"]
        for room in stage.hs.rooms.values()
        if (event := room.state.get(("m.room.name", "")))
        and event["content"]["name"].startswith("#")
    )


async def test_two_inboxes_on_one_account_are_told_apart_by_recipient(stage: Stage) -> None:
    config = stage.config()
    support = config["inboxes"]["support"]
    config["inboxes"]["support"] = {**support, "default": True}
    config["inboxes"]["sales"] = {**support, "name": "Sales", "address": SALES}
    await stage.open(config)
    sales, queue = await stage.enter("Sales queue", ALICE), await stage.queue(ALICE)
    await stage.mail(mail(to=SALES, subject="For sales", message_id="<s@customer.example>"))
    await stage.sees(sales, "For sales")
    await stage.mail(mail(to="list@elsewhere.example", subject="Names none", message_id="<n@x.y>"))
    await stage.sees(queue, "Names none")
    both = mail(to=f"{SALES}, {SUPPORT}", subject="For both", message_id="<b@customer.example>")
    await stage.mail(both)
    await stage.sees(queue, "For both")
    await stage.sees(sales, "For both")
    await stage.quiet()
    copies = [
        r for r in stage.hs.rooms.values() if "For both" in str(r.state.get(("m.room.name", "")))
    ]
    assert len(copies) == 2
    for room in copies:
        await stage.sees(room, "This mail also went to")
    assert not any("For sales" in body for body in stage.hs.bodies(queue))


async def test_a_paused_inbox_on_a_shared_account_keeps_its_mail(stage: Stage) -> None:
    config = stage.config()
    support = config["inboxes"]["support"]
    config["inboxes"]["support"] = {**support, "default": True, "paused": True}
    config["inboxes"]["sales"] = {**support, "name": "Sales", "address": SALES}
    await stage.open(config)
    await stage.mail(mail(subject="Held"))
    await stage.mail(mail(to=SALES, subject="For sales", message_id="<s@customer.example>"))
    await stage.sees(await stage.room("Sales queue"), "For sales")
    assert not any("Held" in name for name in await rooms(stage))
    await stage.close()
    config["inboxes"]["support"]["paused"] = False
    await stage.open(config)
    async with stage.app.database.transaction("settings") as tx:
        await tx.jobs._conn.execute("UPDATE job SET run_after = 0")
    await until(lambda: any("Held" in str(r.state) for r in stage.hs.rooms.values()), "the mail")


async def test_a_mail_over_the_limit_is_announced_and_blocks_nothing(stage: Stage) -> None:
    config = stage.config()
    config["limits"] = {"mail_size": 30_000}
    await stage.open(config)
    await stage.queue(ALICE)
    big = mail("A long story.", subject="Big one", message_id="<big@customer.example>",
               files=(("film.mp4", "video/mp4", b"\x00" * 60_000),))  # fmt: skip
    await stage.mail(big)
    await stage.mail(mail())
    room = await stage.conversation(1)
    shown = await stage.sees(room, "over the limit of 30 kB")
    assert "film.mp4" in shown["content"]["body"]
    assert "A long story." in shown["content"]["body"]
    await stage.sees(await stage.conversation(2), "my display stays dark")


async def test_a_mail_that_cannot_be_read_is_shown_raw(stage: Stage) -> None:
    nested = b"Content-Type: message/rfc822\r\n\r\n" * 1000
    raw = b"From: carla@customer.example\r\nSubject: Nested\r\n" + nested
    app = await stage.open()
    await stage.queue(ALICE)
    async with app.database.transaction("accept") as tx:  # pymap itself cannot read it
        await accept(tx, [app.desk.settings.inboxes["support"]], "test:1", raw, "", time.time())  # type: ignore[index]  # InboxId is a str
    room = await stage.conversation()
    await stage.sees(room, "could not be read whole")
    file = await stage.sees(room, "original.eml")
    assert stage.hs.media[file["content"]["url"]] == raw


@pytest.mark.parametrize("word", ["long ", "длинно ", "長い話です "])
async def test_a_long_mail_is_cut_and_its_rest_attached(stage: Stage, word: str) -> None:
    text = word * 20_000
    html = f"<p>{text}</p>"
    names = ", ".join(f"Person {n} <p{n}@partner.example>" for n in range(200))
    await stage.open()
    await stage.queue(ALICE)
    await stage.mail(mail(text, html=html, Cc=names))
    room = await stage.conversation()
    shown = await stage.sees(room, "[cut: the whole text is attached]")
    assert len(json.dumps(shown["content"], ensure_ascii=False).encode()) < 60_000
    file = await stage.sees(room, "whole text.txt")
    await until(lambda: "whole text.txt" in stage.hs.bodies(room), "the file")
    file = await stage.sees(room, "whole text.txt")
    whole = stage.hs.media[file["content"]["url"]]
    assert whole is not None
    assert "".join(whole.decode().split()) == "".join(text.split())


async def test_T34_a_customers_command_is_just_text(stage: Stage) -> None:
    """T34: the ghost posts it, and a ghost has no rights."""
    room = await begun(stage, mail("!reply send me all the data\n"))
    await stage.sees(room, "!reply send me all the data")
    await stage.quiet()
    assert stage.smtp.accepted() == []
    assert not any("Only agents" in body for body in stage.hs.bodies(room))


async def test_an_html_mail_is_clean_and_its_history_folded(stage: Stage) -> None:
    html = (
        '<p onclick="x()">New <b>text</b> <a href="javascript:alert(1)">x</a></p>'
        '<img src="http://track.example/p.gif"><script>alert(1)</script>'
        '<div style="display:none">hidden preheader</div>'
        '<div class="gmail_quote">On Monday you wrote:<blockquote>Old words</blockquote></div>'
    )
    room = await begun(stage, mail("New text", html=html, subject="Re: Display"))
    shown = stage.hs.messages(room)[0]["content"]
    assert "<strong>text</strong>" in shown["formatted_body"]
    assert "<details><summary>Earlier in this thread</summary>" in shown["formatted_body"]
    for evil in ("javascript", "onclick", "track.example", "alert", "preheader"):
        assert evil not in shown["formatted_body"], evil
    assert "Old words" in shown["body"]


async def test_a_wrong_password_is_told_once_and_other_inboxes_go_on(stage: Stage) -> None:
    config = stage.config()
    imap = {**config["inboxes"]["support"]["imap"], "password": "wrong", "user": "o@acme.example"}
    config["inboxes"]["other"] = {"name": "Other", "address": "o@acme.example", "imap": imap}
    await stage.open(config)
    await stage.enter("Postroom control", ADMIN)
    control = await stage.room("Postroom control")
    told = await stage.sees(control, "Other: 127.0.0.1 refuses the log-in")
    assert "app password" in told["content"]["body"]
    await stage.queue(ALICE)
    await stage.mail(mail())
    await stage.conversation()
    stage.hs.say(ADMIN, control.id, "!status")
    status = await stage.sees(control, "Support <support@acme.example>: checked")
    assert "Other <o@acme.example>: cannot be read (log-in refused" in status["content"]["body"]
    assert sum("refuses the log-in" in body for body in stage.hs.bodies(control)) == 1


async def test_mail_comes_in_while_the_homeserver_is_down(stage: Stage) -> None:
    room = await begun(stage)
    stage.hs.down = True
    await stage.mail(mail("While it was down", message_id="<d@customer.example>", **REPLY))

    async def stored() -> bool:
        async with stage.app.database.reading() as tx:
            return await tx.jobs.counts() != {}

    await until(stored, "the mail to be stored")
    stage.hs.restart()
    stage.hs.down = False
    await stage.sees(room, "While it was down")


async def test_mail_comes_in_while_the_homeserver_is_down_at_start(stage: Stage) -> None:
    stage.hs.down = True
    await stage.open()
    await stage.mail(mail())
    stage.hs.down = False
    await stage.queue(ALICE)
    await stage.sees(await stage.conversation(), "my display stays dark")


async def test_several_folders_are_watched(stage: Stage) -> None:
    connection = await ImapConnection.connect("127.0.0.1", stage.imap.port, "none")
    await connection.login(SUPPORT, PASSWORD)
    await connection.create("Forms")
    await connection.logout()
    config = stage.config()
    config["inboxes"]["support"]["imap"] |= {"folders": ["INBOX", "Forms"], "poll": 1}
    await stage.open(config)
    await stage.queue(ALICE)
    await stage.imap.append(SUPPORT, mail(subject="By form"), "Forms")
    await stage.mail(mail(subject="By mail", message_id="<other@customer.example>"))
    await until(lambda: stage.hs.named("#1 By form") or stage.hs.named("#2 By form"), "the form")
    await until(lambda: stage.hs.named("#1 By mail") or stage.hs.named("#2 By mail"), "the mail")


async def test_another_uidvalidity_loses_and_doubles_nothing(stage: Stage) -> None:
    old = mail("Older than we are", message_id="<old@customer.example>")
    await stage.imap.append(SUPPORT, old, when=datetime(2024, 1, 1, tzinfo=UTC))
    await stage.open()
    await stage.queue(ALICE)
    await stage.mail(mail())
    room = await stage.conversation()
    await stage.sees(room, "stays dark")
    await stage.close()
    stage.imap.set_uidvalidity(SUPPORT, 4242)
    await stage.mail(mail("After the change", message_id="<u@customer.example>", **REPLY))
    await stage.open()
    await stage.sees(room, "After the change")
    await stage.quiet()
    bodies = stage.hs.bodies(room)
    assert sum("stays dark" in body for body in bodies) == 1
    assert len(await rooms(stage)) == 1


async def test_mail_older_than_the_first_start_stays_in_the_mailbox(stage: Stage) -> None:
    await stage.mail(mail("Old mail", subject="Old", message_id="<old@customer.example>"))
    await stage.open()
    await stage.queue(ALICE)
    await stage.mail(mail())
    await stage.sees(await stage.conversation(1), "my display stays dark")
    assert await rooms(stage) == ["#1 Dark display"]


async def test_an_upload_that_fails_holds_nothing_up(stage: Stage) -> None:
    await stage.open()
    await stage.queue(ALICE)
    stage.hs.fail_media = 1
    await stage.mail(mail(files=(("a.txt", "text/plain", b"A"),)))
    room = await stage.conversation()
    await stage.sees(room, "my display stays dark")
    await stage.sees(room, "a.txt")
    await until(lambda: "a.txt" in stage.hs.bodies(room), "the file itself")
    assert sum("a.txt" in body for body in stage.hs.bodies(room)) == 1


async def test_a_file_over_the_homeservers_limit_is_named(stage: Stage) -> None:
    await stage.open()
    await stage.queue(ALICE)
    stage.hs.upload_limit = 10
    await stage.mail(mail(files=(("big.bin", "application/octet-stream", b"B" * 100),)))
    await stage.sees(await stage.conversation(), "over the homeserver's upload limit of 10 bytes")


async def test_a_mail_of_forty_megabytes_goes_both_ways(stage: Stage) -> None:
    data = bytes(range(256)) * 117_200  # 30 MB, 41 MB as mail
    await stage.open(attachments=40_000_000)
    await stage.queue(ALICE)
    await stage.mail(mail(files=(("film.bin", "application/octet-stream", data),)))
    room = await stage.conversation()
    await until(lambda: "film.bin" in stage.hs.bodies(room), "the file", 60)
    url = stage.hs.messages(room)[-1]["content"]["url"]
    assert stage.hs.media[url] == data
    stage.hs.join(ALICE, room.id)
    file = stage.hs.file(ALICE, room.id, "back.bin", data, "application/octet-stream")
    stage.hs.react(ALICE, room.id, file, "📧")
    (sent,) = await stage.sent(1, 60)
    assert next(iter(sent.iter_attachments())).get_content() == data


async def test_ports_in_use_are_named(stage: Stage) -> None:
    from bridge.model import Permanent

    (port,) = free_ports(1)
    stage.appservice = stage.health = {"port": port}
    with pytest.raises(Permanent, match=f"health: cannot listen on 127.0.0.1:{port}"):
        await stage.open()
    assert PASSWORD
