"""`make demo` from outside: its journal, the customer's mailbox, the room; broken on purpose; and
killed after each step."""

from __future__ import annotations

import asyncio
import imaplib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import nio
import pytest

from bridge.demo.story import STORY
from tests import provision

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not provision.synapse(), reason="needs Synapse: python -m tests.provision"),
]
CUSTOMER, SUPPORT = "carla@customer.example", "support@acme.example"


async def run(
    folder: Path, *arguments: str, until: str = "", **env: str
) -> tuple[int | None, str, asyncio.subprocess.Process]:
    """Run the demo; with `until`, return as soon as that was printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", "demo", "--folder", str(folder), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "POSTROOM_SYNAPSE": str(provision.SYNAPSE.absolute()), **env},
    )  # fmt: skip
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(120):
        while line := (await process.stdout.readline()).decode():
            output += line
            if until and until in line:
                return None, output, process
        return await process.wait(), output, process


def accepted(folder: Path) -> list[dict[str, str]]:
    lines = (folder / "accepted.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["from"] == SUPPORT]


async def test_the_demo_tells_its_story_and_ends_with_ok(tmp_path: Path) -> None:
    status, output, _ = await run(tmp_path, "--once")
    assert (status, output.splitlines()[-1]) == (0, "demo: ok"), output
    took = re.search(r"the story took ([\d.]+) s", output)
    assert took is not None
    assert float(took[1]) < 30
    assert not list(Path("/proc").glob("*/cmdline")) or all(
        str(tmp_path) not in each.read_text(errors="replace")
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if each.exists()
    ), "something was left running"


async def test_the_demo_seen_from_outside(tmp_path: Path) -> None:
    _, output, process = await run(tmp_path, until="smtplib.SMTP")
    try:
        state = json.loads((tmp_path / "state.json").read_text())
        mails = accepted(tmp_path)
        assert len(mails) == 2
        assert all("INTERNAL" not in entry["raw"] for entry in mails)

        def boxes() -> list[bytes]:
            client = imaplib.IMAP4("127.0.0.1", state["ports"]["imap"])
            client.login(CUSTOMER, "demo")
            client.select("INBOX", readonly=True)
            numbers = client.search(None, "ALL")[1][0].split()
            found = [client.fetch(n, "(RFC822)")[1][0][1] for n in numbers]  # type: ignore[index]  # typeshed allows None
            client.logout()
            return found  # type: ignore[return-value]  # bytes, with BODY of one part

        received = await asyncio.to_thread(boxes)
        assert len(received) == 2
        assert b"firmly" in received[0]

        url = f"http://127.0.0.1:{state['ports']['homeserver']}"
        client = nio.AsyncClient(url, "@bob:demo.local")
        client.access_token, client.user_id = state["tokens"]["bob"], "@bob:demo.local"
        answer = await client.room_messages(state["room"], start="", limit=200)
        await client.close()
        assert isinstance(answer, nio.RoomMessagesResponse)
        bodies = [event.source["content"].get("body", "") for event in answer.chunk]
        for text in ("the display I ordered stays dark", "photo.png", "That helped, thank you"):
            assert sum(text in body for body in bodies) == 1, text
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 60)
    assert process.returncode == 0, output


@pytest.mark.parametrize(
    ("broken", "step"),
    [("smtp", "agent replies"), ("imap", "card appears"), ("hs", "agents talk")],
)
async def test_a_broken_server_fails_the_demo_at_its_step(
    tmp_path: Path, broken: str, step: str
) -> None:
    status, output, _ = await run(tmp_path, "--once", DEMO_BREAK=broken)
    assert status == 1
    assert f"demo: FAILED at {step}: " in output.splitlines()[-1], output


async def test_killed_after_each_printed_step_the_demo_goes_on(tmp_path: Path) -> None:
    for step, _ in STORY:
        _, output, process = await run(tmp_path, "--once", until=f"] {step}: ")
        assert "FAILED" not in output, output
        process.kill()
        await process.wait()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and synapse_runs(tmp_path):
            await asyncio.sleep(0.05)
        assert not synapse_runs(tmp_path), "Synapse outlived the demo"
    status, output, _ = await run(tmp_path, "--once")
    assert (status, output.splitlines()[-1]) == (0, "demo: ok"), output
    assert len(accepted(tmp_path)) == 2


def synapse_runs(folder: Path) -> bool:
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder / "homeserver") in each.read_text(errors="replace"):
                return True
        except OSError:
            continue
    return False
