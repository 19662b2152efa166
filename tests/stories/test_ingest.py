"""`postroom ingest` and the scripts that our docs print, by real programs: nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import smtplib
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from bridge.ingress import spool
from bridge.web.listener import Listener
from tests import provision
from tests.servers.database import rows
from tests.servers.dovecot import DovecotServer
from tests.servers.postfix import PostfixServer
from tests.stage import ALICE, SUPPORT, Stage, mail, until
from tests.stories.hooks import pushed
from tests.stories.oauth import deliver

ROOT = Path(__file__).parents[2]


async def ingest(stage: Stage, raw: bytes, *arguments: str) -> tuple[int, str]:
    """Run the command as a mail server does; returns exit code and what it printed."""
    config = stage.folder / "config.yaml"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", "ingest", "-c", str(config), *arguments, cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate(raw)
    return process.returncode or 0, said.decode()


async def subjects(stage: Stage) -> list[str]:
    """The first words of every mail that was taken, sorted."""
    found = await rows(
        stage.database, stage.folder, "SELECT bytes FROM intake JOIN raw ON raw.id = raw"
    )
    return sorted(re.search(rb"Mail \d+", row["bytes"])[0].decode() for row in found)  # type: ignore[index]  # it has one


async def test_a_mail_is_taken_while_the_bridge_does_not_run(stage: Stage) -> None:
    config = pushed(stage, "relay")
    await stage.open(config)
    await stage.queue(ALICE)
    await until(lambda: spool.known(stage.folder / "spool"), "the addresses")
    await stage.close()
    assert await ingest(stage, mail("Mail 1"), "--inbox", SUPPORT) == (0, "")
    tagged = SUPPORT.replace("@", "+x@")
    later = mail("Mail 2", message_id="<2@c.example>")
    assert await ingest(stage, later, "--inbox", tagged, "--sender", "a@b.example") == (0, "")
    await stage.open(config)
    await stage.sees(await stage.conversation(), "Mail 1")
    await until(lambda: not list(spool.waiting(stage.folder / "spool")), "an empty spool")
    assert await subjects(stage) == ["Mail 1", "Mail 2"]


async def test_what_cannot_be_taken_says_so_by_its_exit_code(stage: Stage) -> None:
    await stage.open(pushed(stage, "relay"))
    await until(lambda: spool.known(stage.folder / "spool"), "the addresses")
    for raw, arguments, code in (
        (b"", ("--inbox", SUPPORT), 65),
        (mail(), ("--inbox", "else@where.example"), 67),
        (mail(), (), 64),
        (mail(), ("--inbox",), 64),
        (mail(), ("--inbox", SUPPORT, "-c", "/nowhere/config.yaml"), 78),
    ):
        given, said = await ingest(stage, raw, *arguments)
        assert (given, bool(said)) == (code, True), arguments
    shutil.rmtree(stage.folder / "spool" / "tmp", ignore_errors=True)
    (stage.folder / "spool" / "tmp").write_text("a file where a folder belongs")
    code, said = await ingest(stage, mail(), "--inbox", SUPPORT)
    assert (code, "postroom: " in said) == (75, True)


async def test_a_file_that_is_no_mail_keeps_no_other_back(stage: Stage) -> None:
    await stage.open(pushed(stage, "relay"))
    await stage.queue(ALICE)
    folder = stage.folder / "spool"
    spool.put(folder, [SUPPORT], "", mail("Mail 1"))
    (folder / "new" / "000.odd").write_bytes(b"no envelope")
    spool.put(folder, ["gone@acme.example"], "", mail("Mail 2"))
    spool.put(folder, [SUPPORT], "", mail("Mail 3", message_id="<3@c.example>"))
    await stage.sees(await stage.conversation(2), "Mail 3")
    control = await stage.enter("Postroom control", "@admin:fake.local")
    await stage.sees(control, "a file that is no mail")
    await stage.sees(control, "gone@acme.example, which no inbox has any more")
    assert len(list((folder / "new").iterdir())) == 2, "nothing is thrown away"


async def test_files_that_stay_keep_no_mail_back(stage: Stage) -> None:
    await stage.open(pushed(stage, "relay"))
    await stage.queue(ALICE)
    folder = stage.folder / "spool"
    for number in range(spool.AT_ONCE + 5):
        spool.put(folder, [f"gone{number}@acme.example"], "", mail())
    (folder / "new" / "000.link").symlink_to("/nowhere/at/all")
    (folder / "new" / "001.folder").mkdir()
    spool.put(folder, [SUPPORT], "", mail("Mail 1"))
    await stage.sees(await stage.conversation(), "Mail 1")


async def test_a_pipe_has_no_environment_and_its_own_umask(stage: Stage) -> None:
    config = pushed(stage, "relay")
    await stage.open(config)
    await until(lambda: spool.known(stage.folder / "spool"), "the addresses")
    await stage.close()
    config["ingress"] = {"password": {"env": "NOT_IN_THIS_ENVIRONMENT"}}
    (stage.folder / "config.yaml").write_text(json.dumps(config))
    before = os.umask(0o077)
    try:
        assert await ingest(stage, mail("Mail 1"), "--inbox", SUPPORT) == (0, "")
    finally:
        os.umask(before)
    (path,) = spool.waiting(stage.folder / "spool")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o2770
    (stage.folder / "config.yaml").write_text("inboxes: {support: [")
    code, said = await ingest(stage, mail(), "--inbox", SUPPORT)
    assert (code, bool(said)) == (75, True), "half a configuration bounces nothing"


class Answers:
    """An HTTP server in the place of the bridge that answers so."""

    def __init__(self, status: int) -> None:
        self.status, self.open = status, 0

    async def start(self, port: int) -> None:
        self._listener = Listener({}, {"/{any:.*}": self._answer})
        await self._listener.start("127.0.0.1", port)

    async def _answer(self, request: web.Request) -> web.Response:
        self.open += 1
        try:
            await request.read()
            return web.Response(status=self.status, headers={"Connection": "close"})
        finally:
            self.open -= 1

    async def stop(self) -> None:
        await self._listener.close()


def script(folder: Path, url: str, password: str) -> Path:
    """The script of docs/ingress.md, filled in."""
    page = (ROOT / "docs" / "ingress.md").read_text()
    text = re.search(r"```sh\n(#!/bin/sh\n.+?)```", page, re.DOTALL)
    assert text is not None
    made = text[1].replace("https://postroom.example.com", url).replace("PASSWORD", password)
    path = folder / "to-postroom"
    path.write_text(made)
    path.chmod(0o755)
    return path


class Getmail:
    """getmail, which fetches from the mailbox and hands each mail to a program."""

    def __init__(self, folder: Path, mailbox: DovecotServer, command: str) -> None:
        self._home, self._mailbox = folder / "getmail", mailbox
        path, *arguments = command.split()
        self._home.mkdir()
        (self._home / "getmailrc").write_text(
            "[retriever]\ntype = SimpleIMAPRetriever\nserver = 127.0.0.1\n"
            f"port = {mailbox.imap_port}\nusername = {SUPPORT}\npassword = unknown\n"
            "[destination]\ntype = MDA_external\nunixfrom = false\nallow_root_commands = true\n"
            f"path = {path}\narguments = {tuple(arguments)!r}\n"
            "[options]\ndelete = true\nread_all = true\n"
        )

    async def run(self) -> int:
        """Fetch; returns how many mails are left in the mailbox."""
        command = ("getmail", "--getmaildir", str(self._home))
        await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
        said = await self._mailbox.doveadm("search", "-u", SUPPORT, "mailbox", "INBOX", "all")
        return said.count("\n")


async def test_getmail_keeps_what_the_script_could_not_bring(
    stage: Stage, mailbox: DovecotServer
) -> None:
    """A 503, a 401 and a bridge that is not there: the mail stays; then it comes."""
    if not provision.getmail():
        pytest.skip("needs getmail and curl: python -m tests.provision")
    config = pushed(stage, "relay")
    config["ingress"] = {"password": "geheim"}
    port, url = config["public"]["port"], config["public_url"]
    getmail = Getmail(stage.folder, mailbox, str(script(stage.folder, url, "geheim")))
    await deliver(mailbox, mail("Mail 1"))
    assert await getmail.run() == 1, "nothing listens"
    for status in (503, 401, 302):
        server = Answers(status)
        await server.start(port)
        assert await getmail.run() == 1, status
        await server.stop()
    await stage.open(config)
    assert await getmail.run() == 0
    assert await subjects(stage) == ["Mail 1"]


async def test_getmail_keeps_what_the_spool_could_not_take(
    stage: Stage, mailbox: DovecotServer
) -> None:
    if not provision.getmail():
        pytest.skip("needs getmail: python -m tests.provision")
    config = pushed(stage, "relay")
    await stage.open(config)
    folder = stage.folder / "spool"
    await until(lambda: spool.known(folder), "the addresses")
    await stage.close()
    command = stage.folder / "ingest"
    command.write_text(f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m bridge ingest "$@"\n')
    command.chmod(0o755)
    given = f"{command} -c {stage.folder}/config.yaml --inbox {SUPPORT}"
    getmail = Getmail(stage.folder, mailbox, given)
    await deliver(mailbox, mail("Mail 1"))
    (folder / "tmp").write_text("a file where a folder belongs")
    assert await getmail.run() == 1
    (folder / "tmp").unlink()
    assert await getmail.run() == 0, "the bridge need not run"
    await stage.open(config)

    async def there() -> bool:
        return await subjects(stage) == ["Mail 1"]

    await until(there, "the mail")


async def test_postfix_keeps_what_its_pipe_could_not_bring(stage: Stage, town_folder: Path) -> None:
    if not (provision.postfix() and provision.getmail()):
        pytest.skip("needs Postfix and curl: python -m tests.provision")
    config = pushed(stage, "relay")
    config["ingress"] = {"password": "geheim"}
    port, url = config["public"]["port"], config["public_url"]
    command = script(town_folder, url, "geheim")
    server = PostfixServer(town_folder / "p", "hand:", command=str(command))
    (town_folder / "p").mkdir()
    os.chmod(town_folder / "p", 0o755)
    await server.start()
    try:

        def send(number: int) -> None:
            with smtplib.SMTP("127.0.0.1", server.port) as client:
                raw = mail(f"Mail {number}", message_id=f"<{number}@customer.example>")
                client.sendmail("carla@customer.example", [SUPPORT], raw)

        await asyncio.to_thread(send, 1)
        await until(lambda: "status=deferred" in server.log(), server.log)
        for number, status in ((2, 503), (3, 401)):
            answers = Answers(status)
            await answers.start(port)
            await asyncio.to_thread(send, number)
            before = server.log().count("status=deferred")
            await server.flush()
            all_ = before + number  # each mail that waits was tried: nobody is cut off by the stop
            await until(lambda n=all_: server.log().count("status=deferred") >= n, server.log)  # type: ignore[misc]  # mypy cannot infer a default argument of a lambda
            await until(lambda a=answers: not a.open, "no open request")  # type: ignore[misc]  # the same
            await answers.stop()
        await stage.open(config)

        async def all_there() -> bool:
            await server.flush()
            return await subjects(stage) == ["Mail 1", "Mail 2", "Mail 3"]

        await until(all_there, server.log)
        await until(lambda: server.waiting() == 0, "empty queues")
    finally:
        await server.stop()
