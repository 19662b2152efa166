"""`postroom demo`: starts the servers, plays the story, and keeps running for use with Element."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from bridge.demo.mailserver import JOURNAL, journal
from bridge.demo.story import STORY
from bridge.demo.world import CUSTOMER, PASSWORD, PEOPLE, SERVER, SUPPORT, UNDO, World, out
from bridge.logs import logs


def demo(folder: Path, *, once: bool) -> int:
    """Run the demo in a folder. Returns the exit code: 1 when a step fails."""
    logs(os.environ.get("POSTROOM_LOG", "WARNING"))
    try:
        return asyncio.run(_demo(folder, once))
    except asyncio.CancelledError:
        out("demo: stopped; start it again and it goes on")
        return 0


def show_mail(folder: Path) -> int:
    """Print the mails that the customer of the demo in a folder got, oldest first."""
    got = [entry for entry in journal(folder / JOURNAL) if CUSTOMER in entry["to"]]
    for entry in got:
        mail = BytesParser(policy=default).parsebytes(entry["raw"])
        text = mail.get_body(("plain",))
        files = [part.get_filename() or "a file" for part in mail.iter_attachments()]
        out(f"{'─' * 60}\nFrom: {mail['From']}\nTo: {mail['To']}\nSubject: {mail['Subject']}\n")
        out(str(text.get_content()).strip() if text is not None else "(no text)")
        out(f"📎 {', '.join(files)}" if files else "")
    if not got:
        out(f"No mail yet in {folder}: make demo plays the story.")
    return 0


async def _demo(folder: Path, once: bool) -> int:
    began = time.monotonic()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):  # shells start background jobs ignoring SIGINT
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)

    def say(text: str) -> None:
        out(f"[{time.monotonic() - began:5.1f} s] {text}")

    step = "start"
    try:
        async with World(folder, say) as world:
            story_began = time.monotonic()
            for step, act in STORY:
                if step in world.state.get("done", []):
                    say(f"{step}: done before")
                    continue
                await _break(world, step)
                told = await asyncio.wait_for(act(world), 60)
                world.remember(done=[*world.state.get("done", []), step])
                say(f"{step}: {told}")
            say(f"the story took {time.monotonic() - story_began:.1f} s")
            if not once:
                await world.take_time()
                await _stay(world)
    except Exception as error:  # noqa: BLE001 - whatever fails, the demo names the step
        out(f"demo: FAILED at {step}: {error}")
        return 1
    out("demo: ok")
    return 0


async def _break(world: World, step: str) -> None:
    """If DEMO_BREAK is smtp, imap or hs, break that server before the step that needs it, so
    that a test sees the demo fail."""
    broken = os.environ.get("DEMO_BREAK", "")
    if broken == "smtp" and step == "agent replies":
        world.smtp.refuse = "554 5.7.1 refused (DEMO_BREAK)"
    elif broken == "imap" and step == "customer writes":
        await world.imap.stop()
    elif broken == "hs" and step == "agents talk":
        await world.synapse.kill()


async def _stay(world: World) -> None:
    smtp = world.state["ports"]["smtp"]
    out(
        "\nThe demo stays up until Ctrl-C. Have a look with Element or any Matrix client:\n"
        f"  homeserver  {world.synapse.url}\n"
        f"  log-ins     {', '.join(f'@{name}:{SERVER}' for name in PEOPLE)}; password {PASSWORD}\n"
        f"  try it as   alice; ❌ on the status stops a mail within {UNDO} seconds\n"
        "What the customer got: make demo MAIL=1, or postroom demo --mail --folder "
        f"{world.folder}\n"
        "Write as the customer:\n"
        f"  python3 -c \"import smtplib; smtplib.SMTP('127.0.0.1', {smtp}).sendmail("
        f"'{CUSTOMER}', ['{SUPPORT}'], 'From: {CUSTOMER}\\nTo: {SUPPORT}\\nSubject: Hello\\n\\n"
        "Is anybody there?')\"\n"
    )
    if world.bridge is not None:
        await world.bridge
