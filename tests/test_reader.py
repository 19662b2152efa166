"""Mail read in a process of its own: what is odd, and what fails there is still shown."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import reader
from bridge.mail import reading
from bridge.model import Permanent
from bridge.reader import MailReader
from tests.mail.samples import PNG, SAMPLES
from tests.stage import mail

OWN = frozenset({"support@acme.example"})


@pytest.mark.parametrize("name", ["winmail", "outlook", "invitation"])
async def test_both_ways_of_reading_give_the_same(name: str) -> None:
    raw = SAMPLES[name]
    apart = await MailReader()._apart(["read", "mx.acme.example", *sorted(OWN)], raw)
    assert reading.RESULT.validate_json(apart) == reading.read(raw, "mx.acme.example", OWN)


async def test_large_and_odd_mail_is_read_apart_and_the_usual_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart: list[list[str]] = []
    original = MailReader._apart

    async def spied(self: MailReader, arguments: list[str], raw: bytes) -> bytes:
        apart.append(arguments)
        return await original(self, arguments, raw)

    monkeypatch.setattr(MailReader, "_apart", spied)
    mails = MailReader()
    for name in ("gmail", "outlook", "japanese"):
        await mails.read(SAMPLES[name], "", OWN)
    assert apart == []
    large = mail(files=(("film.bin", "video/mp4", os.urandom(1_500_000)),))
    found, body = await mails.read(large, "", OWN)
    assert "my display stays dark" in body.text
    assert len(await mails.part(large, found.attachments[0].part)) == 1_500_000
    found, _ = await mails.read(SAMPLES["winmail"], "", OWN)
    assert await mails.part(SAMPLES["winmail"], found.attachments[0].part) == b"%PDF inside"
    assert [arguments[0] for arguments in apart] == ["read", "part", "read", "part"]
    with pytest.raises(Permanent, match="the mail has no part 9"):
        await mails.part(SAMPLES["outlook"], 9)
    with pytest.raises(Permanent):
        await mails.part(large, 9)


async def test_a_mail_that_takes_too_long_or_too_much_is_shown_by_its_headers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = sys.executable
    for body, why in (("import time; time.sleep(60)", "too long"),
                      ("import os; os._exit(1)", "too much time or memory"),
                      ("x = [b'x' * 10**8 for _ in range(40)]", "too much time or memory"),
                      ("print('no JSON')", "JSON")):  # fmt: skip
        program = tmp_path / "program"
        limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))"
        program.write_text(f"#!{python}\n{limit}\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setattr(reader.sys, "executable", str(program))
        monkeypatch.setattr(reader, "PATIENCE", 3.0)
        found, shown = await MailReader().read(SAMPLES["winmail"], "", OWN)
        assert why in found.problem
        assert found.subject == "The report"
        assert "The report is attached." in shown.text


def test_the_process_has_nothing_of_the_bridge_and_little_of_the_machine(tmp_path: Path) -> None:
    code = (
        "from bridge import confined; import os, sys, resource\n"
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


async def test_a_mail_of_thirty_megabytes_is_read_within_the_limits() -> None:
    raw = mail(files=(("film.mp4", "video/mp4", PNG * 400_000),))
    found, body = await MailReader().read(raw, "", OWN)
    assert not found.problem
    assert "my display" in body.text
    assert len(await MailReader().part(raw, found.attachments[0].part)) == len(PNG) * 400_000


async def test_a_reading_that_is_cancelled_leaves_no_process() -> None:
    task = asyncio.create_task(MailReader().read(SAMPLES["winmail"], "", OWN))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    listed = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True)
    mine = [line for line in listed.stdout.splitlines() if line.split()[0] == str(os.getpid())]
    assert not any("bridge.confined" in line for line in mine)
