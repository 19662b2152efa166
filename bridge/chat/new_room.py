"""What createRoom is asked for, for each kind of room (Client-Server API, createRoom)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.chat.room import (
    BOT_POWER,
    ROOM_SUMMARY,
    bridge_state,
    conversation_power,
    locked,
    name,
    queue_power,
    restricted,
    room_summary,
    state_event,
    title,
    topic,
)
from bridge.config.inbox import Inbox
from bridge.model import Content, Conversation, Mxid, RoomId


@dataclass(frozen=True, slots=True)
class FirstMembers:
    """Who a conversation's room is made with: the ghost of its contact, with a picture where there
    is one, and the agents who may walk in."""

    ghost: str
    face: str
    agents: Sequence[Mxid]


@dataclass(frozen=True, slots=True)
class NewRooms:
    """Makes them for one homeserver."""

    version: str
    """Of the rooms."""
    bot: str
    server: str
    prefix: str
    """Of commands."""

    def control(self, admins: Sequence[str], alias: str) -> Content:
        """The one room in which admin commands count."""
        return self._closed(
            ("Postroom control", f"Admin commands work here: {self.prefix}help"), alias,
            federate=False,
            invite=admins, power=locked({}, BOT_POWER, self.bot, self.version),
            state=[state_event("m.room.join_rules", {"join_rule": "invite"})],
        )  # fmt: skip

    def queue(self, inbox: Inbox, alias: str) -> Content:
        """The room whose joined members are the inbox's agents."""
        return self._closed(
            title("queue", inbox), alias, federate=inbox.federate,
            invite=sorted({*inbox.agents, *inbox.leads}),
            power=queue_power(inbox, inbox.leads, self.version, self.bot),
            state=[state_event("m.room.join_rules", {"join_rule": "invite"})],
        )  # fmt: skip

    def space(self, inbox: Inbox, alias: str, queue: RoomId) -> Content:
        """The folder of an inbox's rooms; its list is closed to who is not in the queue room."""
        body = self._closed(
            title("space", inbox), alias, federate=inbox.federate,
            invite=sorted({*inbox.agents, *inbox.leads}),
            power=locked({}, BOT_POWER, self.bot, self.version),
            state=[
                state_event("m.room.join_rules", restricted(queue)),
                state_event("m.space.child", {"via": [self.server], "order": "0"}, queue),
            ],
        )  # fmt: skip
        return {**body, "creation_content": {**body["creation_content"], "type": "m.space"}}

    def conversation(
        self,
        conversation: Conversation,
        inbox: Inbox,
        alias: str,
        first: FirstMembers,
        queue: RoomId,
        space: RoomId,
    ) -> Content:
        """One conversation's room: any agent of the inbox walks in and reads from the start."""
        face = [state_event("m.room.avatar", {"url": first.face})] if first.face else []
        return self._closed(
            (name(conversation), topic(conversation, inbox)), alias, federate=inbox.federate,
            invite=[first.ghost], power=conversation_power(first.agents, self.version, self.bot),
            state=[
                state_event("m.room.join_rules", restricted(queue)),
                state_event("m.space.parent", {"via": [self.server], "canonical": True}, space),
                state_event(ROOM_SUMMARY, room_summary(conversation)),
                *bridge_state(conversation, inbox, Mxid(self.bot)),
                *face,
            ],
        )  # fmt: skip

    def _closed(
        self,
        title: tuple[str, str],
        alias: str,
        *,
        federate: bool,
        invite: Sequence[str],
        power: Content,
        state: Sequence[Content],
    ) -> Content:
        name, topic = title
        return {
            "preset": "private_chat",
            "visibility": "private",
            "room_version": self.version,
            "name": name,
            "topic": topic,
            "room_alias_name": alias,
            "creation_content": {"m.federate": federate},
            "invite": list(invite),
            "power_level_content_override": power,
            "initial_state": [
                *state,
                state_event("m.room.history_visibility", {"history_visibility": "shared"}),
                state_event("m.room.guest_access", {"guest_access": "forbidden"}),
            ],
        }
