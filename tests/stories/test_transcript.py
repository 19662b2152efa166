"""Every answer of the control room, as an admin reads it, kept as a text to be looked at."""

from __future__ import annotations

import re

from tests import golden
from tests.stage import ALICE, BOB, PASSWORD, SUPPORT, Stage, mail
from tests.stories.desk import ask, control_room
from tests.stories.test_inbox import empty

SAID = (
    "!help", "!help quarantine", "!inbox list", "!inbox frobnicate", "!inbox add support@acme",
    "!agent list", "!inbox add", "support", SUPPORT, "somewhere!", "127.0.0.1:{imap}", PASSWORD,
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


def plain(stage: Stage, text: str) -> str:
    """Without what changes from run to run."""
    for port, name in ((stage.imap.port, "IMAP"), (stage.smtp.port, "SMTP")):
        text = text.replace(str(port), name)
    text = text.replace(stage.hs.url, "http://homeserver")
    return re.sub(r"\b\d\d:\d\d\b", "HH:MM", text)
