"""Mail read in a process of its own: whatever it takes, the others go on, and it is shown."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.mail import reading
from bridge.model import Permanent, Transient
from bridge.sandbox import kept
from bridge.sandbox import reader as module
from bridge.sandbox.process import LARGE, SIGNED, SMALL
from bridge.sandbox.reader import MailReader
from bridge.sandbox.starter import ReadingProcess
from tests.mail.samples import PNG, SAMPLES
from tests.stage import mail, until

OWN = frozenset({"support@acme.example"})

RECORD = (
    "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/"
    "zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4Ouk"
    "hitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
)
"""A key of no one's, from RFC 6376 A.2."""


@pytest.fixture
async def mails() -> AsyncIterator[MailReader]:
    process = ReadingProcess()
    mails = MailReader(process)
    yield mails
    mails.close()
    process.close()


async def part(mails: MailReader, raw: bytes, number: int, key: str = "") -> bytes:
    async def load() -> bytes:
        return raw

    return await mails.part(key or str(hash(raw)), number, load)


@pytest.mark.parametrize("name", sorted(SAMPLES))
async def test_both_ways_of_reading_give_the_same(mails: MailReader, name: str) -> None:
    raw = SAMPLES[name]
    found = await mails.read(raw, "mx.acme.example", OWN)
    assert found == reading.read(raw, "mx.acme.example", OWN)


BROKEN = """
import os, socket, sys, time
from bridge.mail import reading
from bridge.sandbox import process
read = reading.read
def broken(raw, *more):
    if b'harmless' in raw or raw == process.SAMPLE:
        return read(raw, *more)
    {code}
    return read(raw, *more)
reading.read = broken
process.main()
"""


def breaking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> MailReader:
    """A reader whose children do `code` with a mail that is not harmless."""
    (tmp_path / "broken.py").write_text(BROKEN.replace("{code}", code))
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/broken.py "$3"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return MailReader(ReadingProcess())


INSTEAD = "reading.RESULT = type('R', (), {{'dump_json': lambda *_: {}}})()"
"""Has a child say something else than what it read."""


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("time.sleep(600)", "too long"),
        ("while True: pass", "too much time or memory"),
        ("os._exit(1)", "too much time or memory"),
        ("raise SystemExit", "too much time or memory"),
        ("[b'x' * 10**8 for _ in range(40)]", "too much time or memory"),
        ("os.abort()", "too much time or memory"),
        (INSTEAD.format("b'no JSON'"), "cannot be read"),
        (INSTEAD.format("b'x' * 40_000_000"), "says too much"),
    ],
)
async def test_T16_a_mail_that_takes_too_long_or_too_much_is_shown_by_its_headers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, why: str
) -> None:
    mails = breaking(monkeypatch, tmp_path, code)
    monkeypatch.setattr(module, "PATIENCE", {SMALL: 10.0, LARGE: 10.0, SIGNED: 10.0})
    try:
        found, shown = await mails.read(mail(), "", OWN)
    finally:
        mails.close()
        mails._process.close()
    assert why in found.problem
    assert (found.subject, found.sender.spec) == ("Dark display", "carla@customer.example")
    assert "my display stays dark" in shown.text


async def test_a_mail_whose_headers_cannot_be_read_either_is_shown_as_it_begins(
    mails: MailReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 100)
    monkeypatch.setattr(module, "TIMES", 0)
    found, shown = await mails.read(mail(), "", OWN)
    assert "says too much" in found.problem
    assert "Subject: Dark display" in shown.text


async def test_T47_small_mails_do_not_wait_for_large_ones_that_take_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mails = breaking(monkeypatch, tmp_path, "while True: pass")
    large = mail("x" * 300_000)
    try:
        hanging = [asyncio.create_task(mails.read(large, "", OWN)) for _ in range(6)]
        for _ in range(10):
            found, _ = await mails.read(mail("harmless"), "", OWN)
            assert not found.problem
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
    finally:
        mails.close()
        mails._process.close()


async def test_T49_the_files_of_a_mail_are_taken_apart_once(
    mails: MailReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = mail(files=tuple((f"{n}.txt", "text/plain", b"%d" % n) for n in range(300)))
    found, _ = await mails.read(raw, "", OWN)
    asked, loaded, apart = [], [], mails._request

    async def spied(request: list[object], raw: bytes, kind: bytes) -> bytes:
        asked.append(request[0])
        return await apart(request, raw, kind)

    async def load() -> bytes:
        loaded.append(1)
        return raw

    monkeypatch.setattr(mails, "_request", spied)
    data = await asyncio.gather(*(mails.part("raw:1", f.part, load) for f in found.attachments))
    assert [each.strip() for each in data] == [b"%d" % n for n in range(300)]
    assert (asked, loaded) == (["files"], [1])
    with pytest.raises(Permanent, match="the mail has no part 999"):
        await mails.part("raw:1", 999, load)
    monkeypatch.setattr(kept, "KEPT", 0.01)
    await mails.part("raw:1", 1, load)
    await until(lambda: not len(mails._files), "the files to be forgotten")


async def test_T49_files_take_no_more_memory_than_is_theirs(
    mails: MailReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST", 250_000)
    raws = [mail(files=((f"{n}.txt", "text/plain", b"%d" % n * 100_000),)) for n in range(4)]
    for _ in range(2):
        for number, raw in enumerate(raws):
            assert await part(mails, raw, 1, f"raw:{number}") == b"%d" % number * 100_000
    assert len(mails._files) == 2


async def test_a_reading_that_is_given_up_leaves_no_files_behind(
    mails: MailReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "KEPT", 0.01)
    asked = asyncio.create_task(part(mails, SAMPLES["mixed"], 1))
    await until(lambda: len(mails._files) == 1, "the files to be asked for")
    asked.cancel()
    await until(lambda: not len(mails._files), "the files to be forgotten")


async def test_files_that_cannot_be_had_are_asked_for_again(mails: MailReader) -> None:
    answers: list[bytes | Exception] = [Permanent("gone"), SAMPLES["mixed"]]

    async def load() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(Permanent, match="gone"):
        await mails.part("raw:1", 1, load)
    assert await mails.part("raw:1", 1, load)


async def test_a_mail_of_forty_megabytes_is_read_within_the_limits(mails: MailReader) -> None:
    raw = mail(files=(("film.mp4", "video/mp4", PNG * 400_000),))
    found, body = await mails.read(raw, "", OWN)
    assert not found.problem
    assert "my display" in body.text
    assert len(await part(mails, raw, found.attachments[0].part)) == len(PNG) * 400_000


async def test_a_process_that_was_ended_is_begun_again(mails: MailReader) -> None:
    await mails.read(SAMPLES["winmail"], "", OWN)
    process = mails._process.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    found, _ = await mails.read(SAMPLES["winmail"], "", OWN)
    assert not found.problem
    assert mails._process.process is not process


async def test_children_that_somebody_ends_are_replaced(mails: MailReader) -> None:
    await mails.read(SAMPLES["gmail"], "", OWN)
    process = mails._process.process
    assert process is not None
    ended: set[int] = set()

    def waiting() -> list[int]:
        return [child for child in children_of(process.pid) if child not in ended]

    for _ in range(3):
        await until(lambda: len(waiting()) == 2, "the next children to wait")
        for child in waiting():
            os.kill(child, signal.SIGKILL)
            ended.add(child)
    await until(lambda: len(waiting()) == 2, "the next children to wait")
    found, _ = await mails.read(SAMPLES["gmail"], "", OWN)
    assert not found.problem
    assert mails._process.process is process


async def test_T16_mails_whose_readers_somebody_ends_are_read_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An operator, or a machine without memory: no mail is to blame for it."""
    flag = tmp_path / "ended"
    code = f"os.path.exists({str(flag)!r}) or time.sleep(60)"
    mails = breaking(monkeypatch, tmp_path, code)
    try:
        reads = [asyncio.create_task(mails.read(mail(), "", OWN)) for _ in range(4)]
        process = mails._process
        await until(lambda: process.process and len(children_of(process.process.pid)) >= 6, "all")
        assert process.process is not None
        first = process.process.pid
        flag.touch()
        os.killpg(first, signal.SIGKILL)
        for found, _ in await asyncio.gather(*reads):
            assert not found.problem
        assert process.process.pid != first
    finally:
        mails.close()
        mails._process.close()


async def test_a_process_that_never_stays_is_not_the_fault_of_the_mail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    mails = MailReader(ReadingProcess())
    with pytest.raises(Transient):
        await mails.read(mail(), "", OWN)
    mails._process.close()


def children_of(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(each) for each in found]


async def test_the_children_end_with_the_bridge(mails: MailReader) -> None:
    await mails.read(SAMPLES["gmail"], "", OWN)
    process = mails._process.process
    assert process is not None
    children = children_of(process.pid)
    assert children
    assert mails._process._door is not None
    mails._process._door.close()  # as when the bridge is killed
    await until(lambda: process.poll() is not None, "the process to end")
    await until(lambda: not any(Path(f"/proc/{pid}/fd").exists() and os.listdir(f"/proc/{pid}/fd")
                                for pid in children), "its children to end")  # fmt: skip
    mails._process._door = None


async def test_a_cancelled_reading_leaves_no_child(mails: MailReader) -> None:
    task = asyncio.create_task(mails.read(SAMPLES["winmail"], "", OWN))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found, _ = await mails.read(SAMPLES["winmail"], "", OWN)
    assert not found.problem


async def test_a_signature_that_takes_long_proves_nothing_and_is_given_up(
    mails: MailReader,
) -> None:
    head = b"From: a@b.example\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; s=x;"
    head += b" d=b.example; h=from; bh=AAAA; b=AAAA\r\n\r\n"
    key = {"x._domainkey.b.example": RECORD}
    assert await mails.signed_by(head + b"x\r\n", key) == []
    with pytest.raises(Permanent):
        await mails.signed_by(head + b" " * 300_000 + b"x\r\n", key)
