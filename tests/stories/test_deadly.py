"""T47: mails that would stop the bridge, and others that nobody should suspect."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.config.inbox import Inbox
from bridge.desk.inbound import receive
from bridge.desk.inbound.accept import accept
from bridge.model import InboxId
from bridge.model.task import BringPost, Deliver, ReceiveMail
from bridge.sandbox import lockdown
from bridge.store.database import Database
from tests.mail.test_calendar import calendar
from tests.servers.bridge import Bridge, Zygote
from tests.servers.database import rows
from tests.stage import SUPPORT, Scene, Stage, mail, until
from tests.stories.desk import begun


def deadly() -> dict[str, bytes]:
    """Mails of which each stopped some reader of mail, or took all of its memory."""
    head = b"From: Eve <eve@evil.example>\nTo: support@acme.example\nSubject: %d\nMessage-ID: <%d@evil.example>\n"
    deep = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n"
    zone = calendar("Evil/Zone")
    rule = zone.replace(b"FREQ=SECONDLY", b"FREQ=YEARLY;BYSETPOS=1,-1;BYMONTHDAY=31;BYMONTH=2")
    kinds = {
        "calendar zone": b"Content-Type: text/calendar; method=REQUEST\n\n" + zone,
        "calendar rule": b"Content-Type: text/calendar\n\n" + rule,
        "calendar many": b"Content-Type: text/calendar\n\n" + zone.replace(b"END:VEVENT", b"X:y\n" * 20_000 + b"END:VEVENT"),
        "nested multiparts": deep * 1000,
        "nested messages": b"Content-Type: message/rfc822\n\n" * 1000,
        "parts": b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * 20_000,
        "parentheses": b"Reply-To: " + b"(" * 400 + b"\n\nx",
        "encoded words": b"X-Subject: x\nCc: " + b"=?utf-8?q?a?= " * 7000 + b"\n\nx",
        "addresses": b"Cc: " + b", ".join(b"a%d@b.example" % n for n in range(5000)) + b"\n\nx",
        "references": b"References: " + b"<a@b> " * 15_000 + b"\n\nx",
        "headers": b"X-Y: z\n" * 40_000 + b"\nx",
        "one header": b"X-Y: " + b"z" * 290_000 + b"\n\nx",
        "html tables": b"Content-Type: text/html\n\n" + b"<table><tr><td>" * 5000,
        "html quotes": b"Content-Type: text/html\n\n" + b"<blockquote>" * 20_000 + b"x",
        "html attributes": b"Content-Type: text/html\n\n<p " + b"a=b " * 50_000 + b">x",
        "html entities": b"Content-Type: text/html\n\n" + b"&" * 190_000,
        "html comment": b"Content-Type: text/html\n\n" + b"<!--" * 45_000,
        "short lines": b"\n" + b"a\n" * 95_000,
        "quotes": b"\n" + b">" * 190_000,
        "blanks": b"\n" + b" " * 190_000 + b"x",
        "dashes": b"\n" + b"-- \n" * 45_000,
        "intros": b"\n" + b"On Mon, 1 Jan 2024 at 10:00, a@b.c wrote:\n" * 4000,
        "utf-7": b"Content-Type: text/plain; charset=utf-7\n\n" + b"+AAAA-" * 30_000,
        "charset": b"Content-Type: text/plain; charset=" + b"x" * 3000 + b"\n\nx",
        "base64": b"Content-Transfer-Encoding: base64\n\n" + b"=" * 190_000,
        "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=\n" * 90_000,
        "parcel": b"Content-Type: application/ms-tnef; name=winmail.dat\n\n\x78\x9f\x3e\x22" + b"\xff" * 150_000,
        "boundary": b"Content-Type: multipart/mixed; boundary=\"" + b"(" * 4000 + b"\"\n\nx",
        "parameters": b"Content-Type: text/plain; " + b"a*0*=x; " * 10_000 + b"\n\nx",
        "bounce": b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n" + b"Final-Recipient: rfc822;a@b\n\n" * 6000,
    }  # fmt: skip
    return {name: head % (number, number) + raw for number, (name, raw) in enumerate(kinds.items())}


async def healthy(url: str) -> float:
    """Asks /health; returns how many seconds of processor time this process, the bridge's, took
    until it answered: of the clock's time a busy machine takes any part for itself."""
    began = time.process_time()
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        await answer.read()
    return time.process_time() - began


async def accepted(database: Database, mails: dict[str, bytes]) -> None:
    """Mails as a way in accepts them. pymap, which the other stories use, dies of some of these."""
    inbox = Inbox(id=InboxId("support"), name="Support", address=SUPPORT)
    async with database.transaction("accept") as tx:
        for key, raw in mails.items():
            await accept(tx, [inbox], key, raw, "", time.time())


async def test_T47_thirty_deadly_mails_stop_nothing(stage: Stage) -> None:
    """Each is in a room, the mails between them, too, and /health answers all the while."""
    await stage.open()
    mails = deadly()
    assert len(mails) == 30
    late: list[float] = []

    async def ask() -> None:
        while True:
            late.append(await healthy(f"http://127.0.0.1:{stage.health['port']}/health"))
            await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask())
    for number, raw in enumerate(mails.values()):
        good = mail(f"good {number}", message_id=f"<good{number}@customer.example>")
        await accepted(stage.app.database, {f"bad{number}": raw, f"good{number}": good})
    await until(lambda: len(stage.hs.rooms) >= 3 + 60, lambda: _missing(stage), 60)
    await stage.quiet(120)
    asking.cancel()
    said = [body for room in stage.hs.rooms.values() for body in stage.hs.bodies(room)]
    for number in range(30):
        assert f"good {number}" in said
    async with stage.app.database.reading() as tx:
        assert await tx.jobs.dead(1) == []
    print(f"/health: {len(late)} answers, the latest after {max(late):.3f} s of processor time")
    assert len(late) > 10
    assert max(late) < 1.0, sorted(late)[-5:]


def _missing(stage: Stage) -> str:
    """Which mails are in no room."""
    names = [str(room.state.get(("m.room.name", ""), {}).get("content")) for room in
             stage.hs.rooms.values()]  # fmt: skip
    return f"60 rooms: {[n for n in range(30) if not any(f' {n}' in name for name in names)]}"


@pytest.mark.sweep
async def test_T47_kill_9_in_the_middle_of_each_deadly_mail(
    tmp_path: Path, database_url: str, zygote: Zygote
) -> None:
    """The bridge is killed three times while it has them; each is in a room in the end, once."""
    scene = Scene(tmp_path, database_url)
    await scene.start()
    bridge = Bridge(zygote, tmp_path, scene.config())
    database = await Database.open(database_url)
    await accepted(database, deadly())
    await database.close()
    try:
        for _ in range(3):
            await bridge.start()
            await until(lambda: _leased(scene), "a mail that is being read")
            await bridge.kill()
        await bridge.start()
        await until(lambda: len(scene.hs.rooms) >= 3 + 30, "30 rooms", 90)
        await scene.finished(90)
        assert len(scene.hs.rooms) == 3 + 30
    finally:
        await bridge.kill()
        await scene.stop()


async def _leased(scene: Scene) -> bool:
    query = "SELECT id FROM job WHERE kind = 'receive' AND leased_by IS NOT NULL"
    return bool(await rows(scene.database, scene.folder, query))


@pytest.mark.parametrize(("deaths", "whole"), [(1, True), (receive.MAX_DEATHS, False)])
async def test_T47_the_third_time_a_mail_is_shown_by_its_headers(
    stage: Stage, deaths: int, whole: bool
) -> None:
    await begun(stage)
    await stage.quiet()
    async with stage.app.database.transaction("settings") as tx:
        raw = await tx.mails.keep_raw(
            mail("All of it", subject="Poison", html="<p>All of <b>it</b></p>",
                 message_id="<poison@evil.example>", sender="Eve <eve@evil.example>")
        )  # fmt: skip
        intake = await tx.mails.accept("support", "test:1", raw, "", time.time())
        await tx.jobs.add(ReceiveMail(intake), "inbox:support:receive")
        await tx.conn.execute("UPDATE job SET deaths = $1 WHERE kind = 'receive'", deaths)
    room = await stage.conversation(2)
    shown = await stage.sees(room, "All of")
    assert ("could not be read whole" in shown["content"]["body"]) is not whole
    if not whole:
        assert receive.DIED_TWICE in shown["content"]["body"]
        await stage.sees(room, "original.eml")
    await stage.quiet()


async def test_deaths_count_where_a_mail_was_being_read_and_nowhere_else(database_url: str) -> None:
    """A delivery that was cut off, and a mail that was put back, are suspected of nothing."""
    database = await Database.open(database_url)
    async with database.transaction("settings") as tx:
        later = time.time() + 3600
        for task, lane in (
            (ReceiveMail(1), "a"), (ReceiveMail(2), "b"), (Deliver(1), "c"), (BringPost(1), "d"),
        ):  # fmt: skip
            await tx.jobs.add(task, lane, run_after=later)
        await tx.conn.execute(
            "UPDATE job SET leased_by = 'dead', leased_until = $1 WHERE lane <> 'b'", later
        )
    async with database.transaction("started") as tx:
        await database._engine.free_jobs_of_dead_workers(tx.conn)
    async with database.reading() as tx:
        rows = await tx.conn.fetch("SELECT lane, deaths FROM job ORDER BY lane")
    await database.close()
    assert {row["lane"]: row["deaths"] for row in rows} == {"a": 1, "b": 0, "c": 0, "d": 0}


async def test_suspected_mails_are_read_one_at_a_time(database_url: str) -> None:
    database = await Database.open(database_url)
    async with database.transaction("settings") as tx:
        for number, lane in enumerate("abc"):
            await tx.jobs.add(ReceiveMail(number), lane, run_after=1.0)
        await tx.conn.execute("UPDATE job SET deaths = 1 WHERE lane <> 'c'")
        first = await tx.jobs.lease("w", time.time(), 60.0, "mail", 9)
        assert {job.lane for job in first} == {"a", "c"}
        assert await tx.jobs.lease("w", time.time(), 60.0, "mail", 9) == []
        for job in first:
            await tx.jobs.finish(job)
        (second,) = await tx.jobs.lease("w", time.time(), 60.0, "mail", 9)
        assert (second.lane, second.deaths) == ("b", 1)
        await tx.jobs.finish(second)
    await database.close()


async def test_a_bridge_that_is_stopped_gives_back_what_it_was_reading(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.open()
    monkeypatch.setattr(stage.app.desk.reader, "read", _never)
    await stage.mail(mail())

    async def leased() -> bool:
        async with stage.app.database.reading() as tx:
            return bool(await tx.conn.fetch("SELECT id FROM job WHERE leased_by IS NOT NULL"))

    await until(leased, "the mail to be read")
    await stage.close()
    await stage.open()
    room = await stage.conversation()
    shown = await stage.sees(room, "my display stays dark")
    assert "could not be read whole" not in shown["content"]["body"]


async def _never(*_: Any) -> None:
    await asyncio.sleep(600)


def test_the_wall_is_generous_and_the_processor_is_not() -> None:
    assert (lockdown.SMALL.processor, lockdown.LARGE.processor) == (1, 25)
    for bounds in (lockdown.SMALL, lockdown.LARGE):
        assert bounds.wall >= 8 * bounds.processor
