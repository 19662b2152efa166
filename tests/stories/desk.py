"""Where most stories begin: a conversation with one mail, an agent inside; the control room."""

from __future__ import annotations

import asyncio
import imaplib
from typing import Any
from urllib.parse import unquote

from tests.servers.matrix_state import Room
from tests.stage import ADMIN, ALICE, PASSWORD, SUPPORT, Stage, mail, until


async def begun(stage: Stage, raw: bytes | None = None, *agents: str, **inbox: Any) -> Room:
    """Open the bridge, let a mail in, let agents in; returns the conversation's room."""
    await stage.open(**inbox)
    await stage.queue(*(agents or (ALICE,)))
    await stage.mail(raw or mail())
    room = await stage.conversation()
    await stage.sees(room, "")
    for agent in agents or (ALICE,):
        stage.hs.join(agent, room.id)
    return room


async def waiting(stage: Stage, room, text: str = "!reply Hello") -> tuple[str, str]:  # type: ignore[no-untyped-def]  # Room
    """A reply within its undo time: (command, status)."""
    command = stage.hs.say(ALICE, room.id, text)
    status = await stage.sees(room, "❌ stops it")
    return command, status["event_id"]


async def ask(stage: Stage, room: Room, text: str, *answers: str) -> str:
    """Say something in the control room and wait for the answer that holds `answers`."""
    event = stage.hs.say(ADMIN, room.id, text)

    def found() -> str:
        for each in stage.hs.messages(room):
            relates = each["content"].get("m.relates_to", {}).get("m.in_reply_to", {})
            if relates.get("event_id") == event:
                return str(each["content"]["body"])
        return ""

    body = await until(found, lambda: f"an answer to {text!r} in {stage.hs.bodies(room)[-3:]}")
    for answer in answers:
        assert answer in body, body
    return body


async def junk_folder(stage: Stage) -> None:
    """Make a folder Junk in the mailbox."""

    def create() -> None:
        client = imaplib.IMAP4("127.0.0.1", stage.imap.port)
        client.login(SUPPORT, PASSWORD)
        client.create("Junk")
        client.logout()

    await asyncio.to_thread(create)


async def control_room(stage: Stage) -> Room:
    """The control room, the admin inside."""
    return await stage.enter("Postroom control", ADMIN)


def reacts_at_once(stage: Stage, who: str, text: str, emoji: str) -> None:
    """Somebody reacts to the next message that holds `text` before the homeserver, which is slow
    here, has told the bridge that it is there."""
    answer = stage.hs._answer
    found: list[Any] = []

    async def late(said: Any) -> Any:
        await asyncio.sleep(0.4)
        return said

    def slow(request: Any, *more: Any) -> Any:
        said = answer(request, *more)
        if request.method != "PUT" or text not in str(more) or found:
            return said
        found.append(said)
        room = unquote(request.raw_path.split("/rooms/")[1].split("/")[0])
        stage.hs.react(who, room, said["event_id"], emoji)
        return late(said)

    stage.hs._answer = slow  # type: ignore[method-assign,assignment]  # the homeserver is slow here
