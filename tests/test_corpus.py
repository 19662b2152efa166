"""`make corpus`: its table, what it counts as a failure, and the folder of MAIL_CORPUS."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from bridge.chat import mail_event
from bridge.mail.reading import read
from bridge.model import Content
from tests import corpus
from tests.mail.samples import SAMPLES


def folder(path: Path) -> Path:
    for name, raw in SAMPLES.items():
        (path / f"{name}.eml").write_bytes(raw)
    (path / "LICENSE").write_text("no mail")
    box = b"".join(b"From a@b.example Mon Jan  6 10:00:00 2025\n" + raw + b"\n"
                   for raw in (SAMPLES["gmail"], SAMPLES["flowed"]))  # fmt: skip
    (path / "two.mbox").write_bytes(box.replace(b"\r\n", b"\n"))
    return path


def test_a_folder_of_mail_is_read_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["corpus", str(folder(tmp_path))])
    assert corpus.main() == 0
    out = capsys.readouterr().out
    assert f"messages                    {len(SAMPLES) + 2}" in out
    assert "corpus: ok" in out
    monkeypatch.setattr("sys.argv", ["corpus", "/nowhere"])
    assert corpus.main() == 2


async def test_what_is_lost_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = mail_event.content

    def forgets(*args: Any) -> tuple[Content, bool]:
        content, cut = shown(*args)
        return {key: str(value).replace("Kick", "") for key, value in content.items()}, cut

    (tmp_path / "a.eml").write_bytes(b"Content-Type: text/html\n\n<p>Kick off")
    (tmp_path / "deep.eml").write_bytes(b"Content-Type: message/rfc822\n\n" * 2000)
    monkeypatch.setattr(mail_event, "content", forgets)
    count = await corpus.run(tmp_path)
    assert (count.wordless, count.quarantined, count.is_good) == (1, 1, False)
    assert any("words missing: Kick" in line for line in count.failures)


def calls_of_reading(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is called while every mail below a folder is read in this process; in the process that
    reads for the bridge it could not be (tests/sandbox)."""
    called: list[object] = []

    def connect(*args: object, **_: object) -> None:
        called.append(args)
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "connect", connect)
        patched.setattr(socket, "getaddrinfo", connect)
        for _, raw in corpus.mails(path):
            read(raw)
    return called


async def test_T11_reading_calls_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (await corpus.run(folder(tmp_path))).is_good
    assert calls_of_reading(tmp_path, monkeypatch) == []


@pytest.mark.corpus
@pytest.mark.timeout(600)
def test_the_corpus_is_read_whole_and_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(os.environ["MAIL_CORPUS"])
    count = asyncio.run(corpus.run(path))
    print("\n".join(count.failures))
    print(count.table())
    assert count.is_good
    assert calls_of_reading(path, monkeypatch) == []
