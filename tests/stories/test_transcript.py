"""Every answer of the control room, as an admin reads it, kept as a text to be looked at."""

from __future__ import annotations

import re

import pytest

from tests import golden
from tests.stage import ALICE, BOB, PASSWORD, SUPPORT, Stage, mail
from tests.stories.desk import ask, control_room
from tests.stories.test_inbox import empty

SAID = (
    "!help", "!help quarantine", "!inbox list", "!inbox frobnicate", "!inbox add support@acme",
    "!agent list", "!inbox add", "support", SUPPORT, "somewhere!", "127.0.0.1:{imap}", "?", "none",
    "back", "none", PASSWORD,
    "!inbox set support imap.poll often", f"!inbox add {SUPPORT}", "local", ALICE,
    "!inbox test sales", "!inbox show support", "!inbox set support imap.prot 1",
    "!inbox set support poll 10", "!inbox set support paused true",
    "!inbox set support imap.tls none", "!inbox set support smtp.port {smtp}",
    "!inbox set support signature Acme Support, Berlin", "!inbox set support undo -",
    "!inbox publish sales", "!inbox publish support for the shop", "!inbox publish support",
    "!inbox list", f"!agent add {BOB} lead", "!agent add @x:else.where", "!agent add bob",
    "!inbox set support imap.poll -3", "!inbox pause support", "!inbox resume support",
    "!export 7", "!export", "!export support", "!erase somebody", "!erase nobody@else.where",
    "!queue", "!retry", "!quarantine list", "!quarantine show 3", "!inbox remove support", "!no",
    "!yes", f"!agent remove {BOB}", "!audit 6",
)  # fmt: skip


async def test_what_an_admin_reads(stage: Stage) -> None:
    control = await empty(stage)
    transcript = []
    for line in SAID:
        said = line.format(imap=stage.imap.port, smtp=stage.smtp.port)
        transcript += [f"> {plain(stage, said)}", plain(stage, await ask(stage, control, said)), ""]
    golden.check("control_room.txt", "control room", "\n".join(transcript))


async def test_what_an_admin_reads_about_mail(stage: Stage) -> None:
    await stage.open()
    control = await control_room(stage)
    await stage.queue(ALICE)
    await stage.mail(mail())
    await stage.conversation()
    await stage.quiet()
    transcript = [f"(unasked) {plain(stage, body)}" for body in stage.hs.bodies(control)[:1]]
    for said in ("!status", "!erase carla@customer.example", "!no", "!inbox show support"):
        transcript += [f"> {said}", plain(stage, await ask(stage, control, said)), ""]
    golden.check("control_room.txt", "with a conversation", "\n".join(transcript))


async def test_what_an_admin_reads_when_something_failed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("a bug of ours")

    monkeypatch.setattr("bridge.worker.delay_after", lambda tries, floor=None: 0.05)
    with monkeypatch.context() as broken:
        broken.setattr("bridge.desk.inbound.show.mail_event.content", fails)
        await stage.open()
        control = await control_room(stage)
        await stage.mail(mail())
        told = await stage.sees(control, "Reading a mail (job")
    number = re.search(r"job (\d+)", told["content"]["body"])
    assert number is not None
    transcript = [f"(unasked) {plain(stage, told['content']['body'])}", ""]
    said = ("!status", "!queue", "!quarantine list", f"!quarantine show {number[1]}",
            f"!quarantine drop {number[1]}", "!no", f"!retry {number[1]}")  # fmt: skip
    for line in said:
        answer = plain(stage, await ask(stage, control, line))
        transcript += [f"> {line}", answer, ""]
    await stage.queue(ALICE)
    await stage.conversation()
    await stage.quiet()
    for line in ("!agent list", "!erase carla@customer.example", "!yes", "!audit 2"):
        transcript += [f"> {line}", plain(stage, await ask(stage, control, line)), ""]
    await stage.quiet()
    text = re.sub(rf"\b{number[1]}\b", "NUMBER", "\n".join(transcript))
    text = re.sub(r"for \d+ s", "for N s", re.sub(r"\d+ bytes", "N bytes", text))
    golden.check("control_room.txt", "when something failed", text)


def plain(stage: Stage, text: str) -> str:
    """Without what changes from run to run."""
    for port, name in ((stage.imap.port, "IMAP"), (stage.smtp.port, "SMTP")):
        text = text.replace(str(port), name)
    text = text.replace(stage.hs.url, "http://homeserver")
    return re.sub(r"\b\d\d:\d\d\b", "HH:MM", text)
