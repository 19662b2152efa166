"""Rooms of the bridge: names, topics, aliases, links, power levels, state events."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from bridge.config.inbox import Inbox
from bridge.mail.charset import clean_line
from bridge.model import Address, Content, Conversation, EventId, Mxid, RoomId

ROOM_SUMMARY = "app.postroom.conversation"
"""Type of the state event with the status of a conversation."""
BOT_POWER = 100
AGENT_POWER = 50


def ghost_localpart(prefix: str, address: Address) -> str:
    """The localpart of an address's ghost: readable, reversible and unique to the address.

    Client-Server API, appendices "Mapping from other character sets": =XX for every byte that
    is not allowed. A hash replaces an address that would make the id longer than 255.
    """
    escaped = "".join(
        chr(byte) if re.match(rb"[a-z0-9._/-]", bytes([byte])) else f"={byte:02x}"
        for byte in address.key.encode("utf-8", "replace")
    )
    if len(escaped) > 150:
        return f"{prefix}={hashlib.sha256(address.key.encode()).hexdigest()}"
    return f"{prefix}{escaped}"


def ghost_name(address: Address) -> str:
    """`Alice Doe (alice@example.com)`: the address is always shown beside the name."""
    name = clean_line(address.name, 64)
    return f"{name} ({address.spec})"[:256] if name else address.spec[:256]


def alias_localpart(prefix: str, secret: str, role: str, key: object) -> str:
    """A room alias that nobody can guess. createRoom has no transaction id; the alias makes sure
    that a room is created only once."""
    digest = hmac.new(secret.encode(), f"{role}:{key}".encode(), hashlib.sha256).hexdigest()
    return f"{prefix}{role[0]}_{digest[:24]}"


def link(room: RoomId, server: str, event: EventId | None = None) -> str:
    """A matrix.to link to a room or an event in it. It always has `via`, because room ids of room
    version 12 have no server part."""
    return f"https://matrix.to/#/{room}{f'/{event}' if event else ''}?via={server}"


def name(conversation: Conversation) -> str:
    return clean_line(f"#{conversation.number} {conversation.subject or '(no subject)'}", 200)


def topic(conversation: Conversation, inbox: Inbox) -> str:
    """`Alice Doe <alice@example.com> · support@acme.com · open · @bob`."""
    parts = [str(conversation.contact), inbox.address, conversation.state.value]
    if conversation.assignee:
        parts.append(conversation.assignee)
    return clean_line(" · ".join(parts), 500)


def state_event(type: str, content: Content, state_key: str = "") -> Content:
    return {"type": type, "state_key": state_key, "content": content}


def locked(users: dict[str, int], invite: int, bot: str, version: str) -> Content:
    """Power levels with which only the bot controls access.

    The override replaces whole keys, so all keys are set here. From room version 12 on, `users`
    must not contain the creator.
    """
    others = {mxid: power for mxid, power in users.items() if mxid != bot}
    return {
        "users": others if version == "12" else {**others, bot: BOT_POWER},
        "users_default": 0,
        "events": {},
        "events_default": 0,
        "state_default": BOT_POWER,
        "invite": invite,
        "kick": BOT_POWER,
        "ban": BOT_POWER,
        "redact": BOT_POWER,
        "notifications": {"room": AGENT_POWER},
    }


def queue_power(inbox: Inbox, leads: Sequence[str], version: str, bot: str) -> Content:
    """Power levels of a queue room: leads have 50; they may invite if `agents_invite` is leads,
    otherwise only the bot may."""
    invite = AGENT_POWER if inbox.agents_invite == "leads" else BOT_POWER
    return locked(dict.fromkeys(leads, AGENT_POWER), invite, bot, version)


def name_and_topic(role: str, inbox: Inbox) -> tuple[str, str]:
    """(name, topic) of an inbox's queue room or space."""
    if role == "queue":
        return f"{inbox.name} queue", f"New mail to {inbox.address}. Press ✋ on a card to take it."
    return inbox.name, f"Conversations of {inbox.address}"


def restricted(queue_room: RoomId) -> Content:
    """Join rules that let members of the queue room join without an invitation."""
    return {
        "join_rule": "restricted",
        "allow": [{"type": "m.room_membership", "room_id": queue_room}],
    }


def conversation_power(agents: Sequence[Mxid], version: str, bot: str) -> Content:
    """Power levels of a conversation room: agents have 50, so that they can invite from their
    client, and nobody else can."""
    return locked(dict.fromkeys(agents, AGENT_POWER), AGENT_POWER, bot, version)


def bridge_state(conversation: Conversation, inbox: Inbox, bot: Mxid) -> list[Content]:
    """State events that describe the bridge for clients (MSC2346, stable and unstable name)."""
    content = {
        "bridgebot": bot,
        "protocol": {"id": "email", "displayname": "Email"},
        "network": {"id": inbox.id, "displayname": f"{inbox.name} <{inbox.address}>"},
        "channel": {"id": str(conversation.number), "displayname": str(conversation.contact)},
    }
    key = f"app.postroom/{inbox.id}/{conversation.number}"
    return [state_event(type, content, key) for type in ("m.bridge", "uk.half-shot.bridge")]


def room_summary(conversation: Conversation) -> Content:
    """The status of a conversation for other tools; times are in milliseconds, as in Matrix."""
    return {
        "number": int(conversation.number),
        "inbox": conversation.inbox,
        "state": conversation.state.value,
        "contact": {"name": conversation.contact.name, "address": conversation.contact.spec},
        "subject": conversation.subject,
        "assignee": conversation.assignee,
        "tags": list(conversation.tags),
        "priority": conversation.priority.name.lower(),
        "waiting_since": _milliseconds(conversation.waiting_since),
        "snoozed_until": _milliseconds(conversation.snoozed_until),
        "merged_into": None if conversation.merged is None else int(conversation.merged),
    }


def _milliseconds(at: float | None) -> int | None:
    return None if at is None else int(at * 1000)
