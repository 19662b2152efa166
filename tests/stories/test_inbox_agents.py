"""Who answers an inbox is changed by chat: agents, leads, and who may be neither."""

from __future__ import annotations

import pytest

from tests.stage import ADMIN, ALICE, BOB, EVE, PASSWORD, SUPPORT, Stage, until
from tests.stories.desk import ask, begun, control_room
from tests.stories.test_inbox import empty, set_up


async def test_agents_are_invited_and_removed_by_chat(stage: Stage) -> None:
    room = await begun(stage, None, ALICE)
    control = await stage.enter("Postroom control", ADMIN)
    queue = await stage.room("Support queue")
    await ask(stage, control, "!agent add bob", "Say who: !agent add @who:server")
    await ask(stage, control, "!agent add @x:elsewhere.example", "is on another homeserver")
    await ask(stage, control, f"!agent add {EVE} nowhere", "There is no inbox nowhere; there are")
    await ask(
        stage,
        control,
        f"!agent add {EVE} lead",
        "is invited to Support queue and is a",
    )
    await until(lambda: queue.membership(EVE) == "invite", "the invitation")
    stage.hs.join(EVE, queue.id)
    power = "m.room.power_levels", ""
    await until(lambda: queue.state[power]["content"]["users"].get(EVE) == 50, "her power")
    await until(lambda: room.state[power]["content"]["users"].get(EVE) == 50, "the room's power")
    stage.hs.join(EVE, room.id)
    await ask(stage, control, "!agent list", f"Eve ({EVE}) (lead)", f"Bob ({BOB}) (invited)")
    await ask(stage, control, f"!agent remove {EVE}", f"Eve ({EVE}) will be out of Support")
    await until(lambda: queue.membership(EVE) == "leave", "the queue room without her")
    await until(lambda: room.membership(EVE) == "leave", "the conversation without her")
    await ask(stage, control, f"!agent remove {EVE}", f"Eve ({EVE}) is not an agent of Support.")
    await ask(
        stage,
        control,
        "!audit 2",
        f"Eve ({EVE}) is no agent any more",
        f"Eve ({EVE}) is to be a lead",
    )


@pytest.mark.parametrize("version", ["11", "12"])
async def test_the_bot_is_no_agent_of_its_own(stage: Stage, version: str) -> None:
    config = stage.config()
    config["homeserver"]["room_version"] = version
    await stage.open(config)
    control = await control_room(stage)
    bot = stage.app.desk.bot
    await ask(stage, control, f"!agent add {bot} lead", "is the bridge's own user; name a person.")
    await ask(stage, control, "!inbox add sales@acme.example", "Where is the mailbox?")
    await ask(stage, control, "stop", "Stopped.")
    await ask(stage, control, f"!inbox set sales leads {bot}", "leads of sales is now")
    for key, value in (
        ("imap.host", "imap.x.example"),
        ("imap.password", "p"),
        ("smtp.host", "smtp.x.example"),
    ):
        await ask(stage, control, f"!inbox set sales {key} {value}")
    await ask(stage, control, "!inbox publish sales", "is the bridge's own user")


async def test_who_answers_a_live_inbox_is_changed_by_agent_commands_alone(stage: Stage) -> None:
    control = await empty(stage)
    await set_up(stage, control)
    queue = await stage.queue(ALICE)
    await ask(stage, control, f"!inbox set support agents {BOB}", "support is live: !agent add")
    await ask(stage, control, f"!agent remove {ALICE}", "will be out of Support")
    await until(lambda: queue.membership(ALICE) == "leave", "her to be out")
    await ask(stage, control, "!inbox remove support", "!yes removes it")
    await ask(stage, control, "!yes", "support is removed.")
    await ask(stage, control, f"!inbox add {SUPPORT}", "it was here before")
    await ask(stage, control, PASSWORD, "Kept encrypted")
    await ask(stage, control, "!inbox publish support", "Invited to its queue room: Alice (@alice")
    await until(lambda: queue.membership(ALICE) == "invite", "her new invitation")
