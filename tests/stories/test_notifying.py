"""A whole conversation as an agent gets it: every event, and which of them notify her, and why."""

from __future__ import annotations

import re
from typing import Any

from tests import golden, push_rules
from tests.servers.matrix_state import DOMAIN, Room
from tests.stage import ALICE, BOB, Stage, mail

REPLY = {"subject": "Re: Dark display", "In_Reply_To": "<m1@customer.example>"}
QUIET_STATE = {
    "m.room.create", "m.room.power_levels", "m.room.canonical_alias", "m.room.join_rules",
    "m.room.history_visibility", "m.room.guest_access", "org.matrix.room.preview_urls", "m.bridge",
    "uk.half-shot.bridge", "m.space.parent", "m.room.avatar", "app.postroom.conversation",
}  # fmt: skip
"""State that clients show no line for."""


async def test_a_conversation_as_an_agent_gets_it(stage: Stage) -> None:
    photo = ("photo.png", "image/png", b"PNG")
    await stage.open()
    await stage.quiet()  # both are invited before anybody enters
    queue = await stage.queue(ALICE, BOB)
    await stage.quiet()
    await stage.mail(mail(files=(photo,)))
    room = await stage.conversation()
    await stage.sees(room, "photo.png")
    await stage.quiet()
    card = await stage.sees(queue, "#1 Carla Customer")
    stage.hs.react(ALICE, queue.id, card["event_id"], "✋")
    await stage.sees(queue, "taken by Alice")
    await stage.quiet()
    stage.hs.join(ALICE, room.id)
    stage.hs.join(BOB, room.id)
    stage.hs.say(BOB, room.id, "I know that display")
    stage.hs.say(ALICE, room.id, "!reply Which one is it?")
    await stage.sent(1)
    await stage.quiet()
    await stage.mail(mail("The big one", message_id="<m2@customer.example>", **REPLY))
    await stage.sees(room, "The big one")
    await stage.quiet()
    text = stage.hs.say(ALICE, room.id, "We send you a new one.")
    stage.hs.react(ALICE, room.id, text, "📧")
    await stage.sent(2)
    await stage.quiet()
    stage.hs.say(ALICE, room.id, "!close")
    await stage.sees(room, "Closed.")
    await stage.quiet()
    await stage.mail(mail("Thank you!", message_id="<m3@customer.example>", **REPLY))
    await stage.sees(room, "Thank you!")
    await stage.quiet()
    for name, each in (("queue", queue), ("conversation", room)):
        lines = told(each)
        notify = sum("→ notifies" in line for line in lines)
        lines.append(f"{len(lines)} lines, {notify} notifications")
        golden.check("conversation.txt", name, "\n".join(lines))


def told(room: Room) -> list[str]:
    """What clients show of a room, in the order in which it came, with what notifies Alice."""
    found, inside = [], False
    for event in room.events:
        is_hers = event["type"] == "m.room.member" and event["state_key"] == ALICE
        inside = inside or (is_hers and event["content"]["membership"] == "join")
        if event["type"] in QUIET_STATE or is_list(event):
            continue
        members = sum(room.membership(who) == "join" for who in everybody(room))
        does, rule = push_rules.notifies(event, ALICE, members)
        effect = f"→ notifies [{rule}]" if does else f"[{rule}]"
        if not inside and not (is_hers and does):
            effect = "[she is not in the room yet]"
        found.append(f"{shown(event)} {effect}")
    return found


def is_list(event: dict[str, Any]) -> bool:
    """Whether an event edits the pinned list, which a busy bridge changes once for several reasons;
    edits notify nobody."""
    return str(event["content"].get("body", "")).startswith("* Support:")


def everybody(room: Room) -> list[str]:
    return [key for type, key in room.state if type == "m.room.member"]


def shown(event: dict[str, Any]) -> str:
    """One line for an event, without what differs from day to day."""
    who = event["sender"].partition(":")[0].removeprefix("@email_")
    content = event["content"]
    match event["type"]:
        case "m.room.member":
            state_key = event["state_key"].partition(":")[0].removeprefix("@email_")
            what = f"{content['membership']} {state_key}"
        case "m.reaction":
            what = f"reacts {content.get('m.relates_to', {}).get('key', '(taken back)')}"
        case "m.room.message":
            kind = "edits " if "m.new_content" in content else ""
            first = str(content.get("body", "(redacted)")).split("\n")[0]
            what = f"{kind}{content.get('msgtype', '').removeprefix('m.')}: {first[:70]}"
        case other:
            value = next((str(each) for each in content.values() if isinstance(each, str)), "")
            what = f"{other}: {value}"
    what = re.sub(r"\b\d{2}:\d{2}\b", "hh:mm", what.replace(f":{DOMAIN}", ""))
    return f"{who} {re.sub(r'in [0-9.]+ s', 'in n s', what)}"
