"""The direct chat with the bot on a real Synapse, asked for from an encrypted room."""

from __future__ import annotations

import nio
import pytest

from tests.real import DOMAIN, Town
from tests.stage import mail, until
from tests.stories.talk import Talk

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
ENCRYPTED = {
    "type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"},
}  # fmt: skip


async def test_an_agent_starts_a_chat_with_the_bot_as_clients_do(town: Town) -> None:
    await town.open()
    alice = town.agents["alice"]
    await alice.enter("Support queue")
    await town.deliver("support@acme.example", mail())
    await alice.sees(await alice.enter("Support queue"), "#1 Carla Customer")
    bot = f"@email_bot:{DOMAIN}"
    made = await alice.client.room_create(
        is_direct=True, invite=[bot], preset=nio.RoomPreset.trusted_private_chat,
        initial_state=[ENCRYPTED],
    )  # fmt: skip
    assert isinstance(made, nio.RoomCreateResponse), made
    said = await alice.sees(made.room_id, "Your direct chat with me is here")

    async def invited() -> str:
        await alice.look()
        return next((room for room in alice.invites if room in said["content"]["body"]), "")

    room = str(await until(invited, "the invitation into the chat"))
    await alice.join(room)
    chat = Talk(alice, room, "direct")
    await chat.ask("!list", "#1 Dark display")
    await chat.ask("!away", "You are away")
    await chat.ask("!reply Hello", "works in a conversation's room")
    members = await alice.client.joined_members(room)
    assert isinstance(members, nio.JoinedMembersResponse)
    assert {each.user_id for each in members.members} == {alice.mxid, bot}
    state = await alice.client.room_get_state(room)
    assert isinstance(state, nio.RoomGetStateResponse)
    kinds = {event["type"]: event for event in state.events if event["state_key"] == ""}
    assert "m.room.encryption" not in kinds
    joined = next(each for each in state.events if each["state_key"] == alice.mxid)
    assert joined["unsigned"]["prev_content"]["is_direct"] is True
