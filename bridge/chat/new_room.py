"""Request bodies of createRoom for each kind of room (Client-Server API, createRoom).

Nobody is invited but the ghost of a new conversation: one invitation that is refused would refuse
the whole room. People are invited afterwards, each by a post of their own.
"""

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
    name_and_topic,
    queue_power,
    restricted,
    room_summary,
    state_event,
    topic,
)
from bridge.config.inbox import Inbox
from bridge.model import Content, Conversation, Mxid, RoomId


@dataclass(frozen=True, slots=True)
class FirstMembers:
    """Users of a new conversation room: the ghost of its contact, the mxc:// URI of its picture
    (may be empty), and the agents who may join."""

    ghost: str
    face: str
    agents: Sequence[Mxid]


@dataclass(frozen=True, slots=True)
class NewRooms:
    """Builds the createRoom bodies for one homeserver."""

    version: str
    """Room version."""
    bot: str
    server: str
    prefix: str
    """Command prefix."""
    avoids_encryption: bool = False
    """Whether to ask for a public chat, which a homeserver that encrypts "invite" rooms leaves
    unencrypted. Our own state closes it: join rules, guests and history are the same for both."""

    def control(self, alias: str) -> Content:
        """The control room, the only room in which admin commands work."""
        return self._closed(
            ("Postroom control", f"Admin commands work here: {self.prefix}help"), alias,
            federate=False,
            power=locked({}, BOT_POWER, self.bot, self.version),
            state=[state_event("m.room.join_rules", {"join_rule": "invite"})],
        )  # fmt: skip

    def direct(self, alias: str, *, federate: bool) -> Content:
        """The chat of one person with the bot; without a name, so that clients show the bot's."""
        body = self._closed(
            ("", f"Your conversations: {self.prefix}help"), alias, federate=federate,
            power=locked({}, BOT_POWER, self.bot, self.version),
            state=[state_event("m.room.join_rules", {"join_rule": "invite"})],
        )  # fmt: skip
        del body["name"]
        return {**body, "is_direct": True}

    def queue(self, inbox: Inbox, alias: str) -> Content:
        """The room whose joined members are the inbox's agents."""
        return self._closed(
            name_and_topic("queue", inbox), alias, federate=inbox.federate,
            power=queue_power(inbox, inbox.leads, self.version, self.bot),
            state=[state_event("m.room.join_rules", {"join_rule": "invite"})],
        )  # fmt: skip

    def space(self, inbox: Inbox, alias: str, queue: RoomId) -> Content:
        """The space that lists an inbox's rooms; only members of the queue room may join it."""
        body = self._closed(
            name_and_topic("space", inbox), alias, federate=inbox.federate,
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
        """The room of a conversation: any agent of the inbox may join and read all of it."""
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
        power: Content,
        state: Sequence[Content],
        invite: Sequence[str] = (),
    ) -> Content:
        name, topic = title
        return {
            "preset": "public_chat" if self.avoids_encryption else "private_chat",
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
                # clients have the homeserver fetch links for previews: it would open a customer's
                state_event("org.matrix.room.preview_urls", {"disable": True}),
            ],
        }
