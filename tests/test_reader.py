"""Mail read in a process of its own: what is odd, and what fails there is still shown."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge import confined, reader
from bridge.mail import reading
from bridge.model import Permanent
from bridge.reader import MailReader
from tests.mail.samples import PNG, SAMPLES
from tests.stage import mail, until

OWN = frozenset({"support@acme.example"})


@pytest.fixture
async def mails() -> AsyncIterator[MailReader]:
    mails = MailReader()
    yield mails
    await mails.close()


@pytest.mark.parametrize("name", ["winmail", "outlook", "invitation", "bounce"])
async def test_both_ways_of_reading_give_the_same(mails: MailReader, name: str) -> None:
    raw = SAMPLES[name]
    apart = await mails._apart(["read", "mx.acme.example", *sorted(OWN)], raw)
    assert reading.RESULT.validate_json(apart) == reading.read(raw, "mx.acme.example", OWN)


async def test_large_and_odd_mail_is_read_apart_and_the_usual_here(
    mails: MailReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart: list[object] = []
    original = mails._apart

    async def spied(request: list[object], raw: bytes) -> bytes:
        apart.append(request[0])
        return await original(request, raw)

    monkeypatch.setattr(mails, "_apart", spied)
    for name in ("gmail", "outlook", "japanese"):
        await mails.read(SAMPLES[name], "", OWN)
    assert apart == []
    large = mail(files=(("film.bin", "video/mp4", os.urandom(1_500_000)),))
    found, body = await mails.read(large, "", OWN)
    assert "my display stays dark" in body.text
    assert len(await mails.part(large, found.attachments[0].part)) == 1_500_000
    found, _ = await mails.read(SAMPLES["winmail"], "", OWN)
    assert await mails.part(SAMPLES["winmail"], found.attachments[0].part) == b"%PDF inside"
    assert apart == ["read", "part", "read", "part"]
    for raw in (SAMPLES["outlook"], large):
        with pytest.raises(Permanent, match="the mail has no part 9"):
            await mails.part(raw, 9)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("time.sleep(60)", "too long"),
        ("os._exit(1)", "too much time or memory"),
        ("[b'x' * 10**8 for _ in range(40)]", "too much time or memory"),
        ("[b'x' * 10**8 for _ in range(40)] or open('x', 'w').write('y')", "too much"),
        ("client.makefile('rb').read(); client.sendall(b'+no JSON')", "cannot be read"),
    ],
)
async def test_a_mail_that_takes_too_long_or_too_much_is_shown_by_its_headers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, why: str
) -> None:
    folder = tmp_path / "bridge"
    folder.mkdir()
    (folder / "__init__.py").write_text(f"__path__ = [{str(Path(confined.__file__).parent)!r}]\n")
    (tmp_path / "broken.py").write_text(
        "import os, socket, sys, time\nfrom bridge import confined\n"
        f"def child(client):\n    confined.confine()\n    {code}\n"
        "confined._child = child\nconfined.serve(socket.socket(fileno=int(sys.argv[1])))\n"
    )
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/broken.py "$3"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(reader, "PATIENCE", 4.0)
    mails = MailReader()
    try:
        found, shown = await mails.read(SAMPLES["winmail"], "", OWN)
    finally:
        await mails.close()
    assert why in found.problem
    assert found.subject == "The report"
    assert "The report is attached." in shown.text


def test_the_child_has_nothing_of_the_bridge_and_little_of_the_machine(tmp_path: Path) -> None:
    code = (
        "from bridge import confined; import os, resource\n"
        "confined.confine()\n"
        "print(sorted(name for name in os.environ if 'SECRET' in name))\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0] // 2**20)\n"
        "try: os.write(os.open('x', os.O_CREAT | os.O_WRONLY), b'y'); print('wrote')\n"
        "except OSError as error: print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=reader._environment(), capture_output=True, text=True,
        timeout=60, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[]", "1024", "OSError"]


async def test_a_mail_of_forty_megabytes_is_read_within_the_limits(mails: MailReader) -> None:
    raw = mail(files=(("film.mp4", "video/mp4", PNG * 400_000),))
    found, body = await mails.read(raw, "", OWN)
    assert not found.problem
    assert "my display" in body.text
    assert len(await mails.part(raw, found.attachments[0].part)) == len(PNG) * 400_000


async def test_a_process_that_was_ended_is_begun_again(mails: MailReader) -> None:
    await mails.read(SAMPLES["winmail"], "", OWN)
    process = mails._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    found, _ = await mails.read(SAMPLES["winmail"], "", OWN)
    assert not found.problem
    assert mails._process is not process


async def test_reading_apart_takes_little_longer_and_leaves_no_process(mails: MailReader) -> None:
    await mails.read(SAMPLES["winmail"], "", OWN)
    began = time.perf_counter()
    for _ in range(10):
        await mails.read(SAMPLES["winmail"], "", OWN)
    assert time.perf_counter() - began < 2
    task = asyncio.create_task(mails.read(SAMPLES["winmail"], "", OWN))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert mails._process is not None
    pid = mails._process.pid

    def childless() -> bool:
        return not Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    await until(childless, "the children to be gone")
