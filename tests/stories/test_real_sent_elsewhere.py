"""Mail sent from another program, on a real Synapse and a real Dovecot, through kill -9."""

from __future__ import annotations

import asyncio
import imaplib

import pytest

from tests.real import Town
from tests.stage import PASSWORD, mail

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
BOX = "support@acme.example"
POINTS = ("accept:before", "accept:after", "receive:before", "receive:after")


async def put(town: Town, raw: bytes) -> None:
    """A mail program appends what it has sent."""

    def append() -> None:
        with imaplib.IMAP4("127.0.0.1", town.dovecot.imap_port) as client:
            client.login(BOX, PASSWORD)
            client.create("Sent")
            client.append("Sent", "\\Seen", "", raw)

    await asyncio.to_thread(append)


async def test_answers_from_elsewhere_outlive_kills_and_are_shown_once(town: Town) -> None:
    await put(
        town, mail("From long ago.", sender=BOX, to="x@y.example", message_id="<o@acme.example>")
    )
    inbox = town.inbox("support")
    inbox["imap"] |= {"poll": 1}
    await town.open(support=inbox)
    alice = town.agents["alice"]
    await alice.enter("Support queue")
    await town.deliver(BOX, mail("Where is it?"))
    room = await alice.walk_in(1)
    await alice.sees(room, "Where is it?")
    for number, point in enumerate(POINTS):
        await town.bridge.kill()
        await town.bridge.start(f"{point}:1:kill9")
        raw = mail(f"Answer {number}", sender=BOX, to="Carla Customer <carla@customer.example>",
                   message_id=f"<{number}@acme.example>", subject="Re: Dark display",
                   In_Reply_To="<m1@customer.example>")  # fmt: skip
        await put(town, raw)
        await town.bridge.wait()
        await town.bridge.start()
    for number in range(len(POINTS)):
        await alice.sees(room, f"Answer {number}")
    await town.quiet(60)
    shown = [str(each["content"].get("body")) for each in await alice.messages(room)]
    for number in range(len(POINTS)):
        assert sum(f"Answer {number}" in body for body in shown) == 1
    assert not any("From long ago." in body for body in shown)
    queue = await alice.enter("Support queue")
    await alice.sees(queue, "answered")
