"""The README's own code blocks, run beside a real Synapse and Dovecot, end with an answered mail.

Only what differs by machine is replaced: the folder, the server name, hosts and ports.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ruamel.yaml import YAML

from bridge.demo.ports import free_ports
from bridge.demo.synapse import Synapse
from tests import provision
from tests.real import Agent, Town
from tests.servers.bridge import Zygote
from tests.servers.dovecot import DovecotServer
from tests.stage import mail, until

ROOT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (provision.synapse() and provision.dovecot()),
        reason="needs Synapse and Dovecot: python -m tests.provision",
    ),
]


def blocks() -> list[tuple[str, str]]:
    """(language, text) of the code blocks of the set-up section, in order."""
    section = (ROOT / "README.md").read_text().partition("## Set it up")[2].partition("\n## ")[0]
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    return [
        (language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, text in found
    ]


async def shell(script: str, cwd: Path) -> str:
    def run() -> str:
        done = subprocess.run(
            ["bash", "-euc", script], cwd=cwd, capture_output=True, text=True, timeout=400,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return await asyncio.to_thread(run)


def sources(folder: Path) -> Path:
    """A copy of the project's files, as a stranger has them."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    ).stdout.split("\n")  # fmt: skip
    for name in filter(None, names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return folder


async def test_the_readme_leads_to_an_answered_mail(town_folder: Path, zygote: Zygote) -> None:
    (_, install), (_, homeserver), (_, inbox), (_, run) = blocks()
    opt = town_folder / "opt"
    hs, appservice, health = free_ports(3)
    town = Town(town_folder, zygote)
    town.dovecot = DovecotServer(str(town_folder / "d"), {"support@example.com": "change-me"})
    town.smtp.password = "change-me"

    def here(text: str) -> str:
        text = text.replace("/opt/postroom", str(opt)).replace("python3", sys.executable)
        text = text.replace("imap.example.com", "127.0.0.1, port: %d, ca_file: %s" % (  # noqa: UP031 - braces of YAML
            town.dovecot.imaps_port, town.dovecot.ca_file))  # fmt: skip
        return text.replace("smtp.example.com", f"127.0.0.1, port: {town.smtp.port}, tls: none")

    await asyncio.gather(town.dovecot.start(), town.smtp.start())
    town.synapse = Synapse(
        town_folder / "hs", provision.SYNAPSE.absolute() / "bin" / "python", hs,
        server_name="example.com", registrations=[], extra=YAML(typ="safe").load(here(homeserver)),
    )  # fmt: skip
    process = None
    try:
        printed = await shell(here(install), sources(town_folder / "src"))
        assert "Wrote" in printed
        config = opt / "config.yaml"
        head = config.read_text().partition("inboxes:")[0]
        head = head.replace("127.0.0.1:8008", f"127.0.0.1:{hs}").replace("29331", str(health))
        config.write_text(head.replace("29330", str(appservice)) + here(inbox))
        registration = opt / "registration.yaml"
        registration.write_text(registration.read_text().replace("29330", str(appservice)))
        await town.synapse.start()
        for name in ("alice", "admin"):
            token = await town.synapse.register(name, "secret")
            town.agents[name] = Agent(town.synapse.url, f"@{name}:example.com", token)
        check, serve = here(run).strip().splitlines()
        town.smtp.relay = town.relay
        lines = (await shell(check, opt)).strip().splitlines()
        assert all(line.startswith("ok ") for line in lines), lines
        assert "A mail to support@example.com came back" in "\n".join(lines)
        town.smtp.journal.unlink()
        process = await asyncio.create_subprocess_exec(*serve.split(), cwd=opt)
        await answered(town, f"http://127.0.0.1:{health}/health")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        process = None
    finally:
        if process is not None:
            process.kill()
            await process.wait()
        await town.stop()


async def answered(town: Town, health: str) -> None:
    async def well() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(health) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await until(well, "the bridge to be well", 60)
    raw = mail(to="support@example.com")
    await town.deliver("support@example.com", raw)
    alice: Any = town.agents["alice"]
    await alice.enter("Support queue")
    room = await alice.walk_in(1)
    await alice.sees(room, "my display stays dark")
    await alice.say(room, "!reply Please press the cable.")
    (sent,) = await town.sent(1)
    assert sent["From"] == "alice from Support <support@example.com>"
    assert sent["To"] == "Carla Customer <carla@customer.example>"
