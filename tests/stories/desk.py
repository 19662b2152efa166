"""A conversation with one mail, an agent inside: where most stories of the desk begin."""

from __future__ import annotations

from typing import Any

from tests.servers.matrix_state import Room
from tests.stage import ALICE, Stage, mail


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
