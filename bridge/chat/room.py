"""The rooms of the bridge: bodies for createRoom, names, topics, power levels, ids."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from bridge.config.inbox import Inbox
from bridge.mail.charset import clean_line
from bridge.model import Address, Content, Conversation, EventId, Mxid, RoomId

ROOM_SUMMARY = "app.postroom.conversation"
"""Type of the state event that says how a conversation stands."""
BOT_POWER = 100
AGENT_POWER = 50


def ghost_localpart(prefix: str, address: Address) -> str:
    """The localpart of an address's ghost: readable, reversible and never that of another.

    Client-Server API, appendices "Mapping from other character sets": =XX for every byte that
    is not allowed. An id over the limit of 255 is named by a hash instead.
    """
    escaped = "".join(
        chr(byte) if re.match(rb"[a-z0-9._/-]", bytes([byte])) else f"={byte:02x}"
        for byte in address.key.encode("utf-8", "replace")
    )
    if len(escaped) > 150:
        return f"{prefix}={hashlib.sha256(address.key.encode()).hexdigest()}"
    return f"{prefix}{escaped}"


def ghost_name(address: Address) -> str:
    """`Alice Doe (alice@example.com)`: the address always stands beside the name."""
    name = clean_line(address.name, 64)
    return f"{name} ({address.spec})"[:256] if name else address.spec[:256]


def alias_localpart(prefix: str, secret: str, role: str, key: object) -> str:
    """A room's alias nobody can guess: createRoom has no transaction id, the alias is ours."""
    digest = hmac.new(secret.encode(), f"{role}:{key}".encode(), hashlib.sha256).hexdigest()
    return f"{prefix}{role[0]}_{digest[:24]}"


def link(room: RoomId, server: str, event: EventId | None = None) -> str:
    """matrix.to, to a room or an event of it; room ids of version 12 have no server part, so `via`
    always stands."""
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
    """Power levels in which only the bot decides on access.

    The override replaces keys whole, so every key stands here. From version 12 on the creator
    must not be named.
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
    """Leads 50; they may invite where the inbox says so, else only the bot does."""
    invite = AGENT_POWER if inbox.agents_invite == "leads" else BOT_POWER
    return locked(dict.fromkeys(leads, AGENT_POWER), invite, bot, version)


def title(role: str, inbox: Inbox) -> tuple[str, str]:
    """(name, topic) of an inbox's queue room or space."""
    if role == "queue":
        return f"{inbox.name} queue", f"New mail to {inbox.address}. Press ✋ on a card to take it."
    return inbox.name, f"Conversations of {inbox.address}"


def restricted(queue_room: RoomId) -> Content:
    """Join rules: who is in the queue room walks in."""
    return {
        "join_rule": "restricted",
        "allow": [{"type": "m.room_membership", "room_id": queue_room}],
    }


def conversation_power(agents: Sequence[Mxid], version: str, bot: str) -> Content:
    """Agents 50, so that Element's own invite works for them and for nobody else."""
    return locked(dict.fromkeys(agents, AGENT_POWER), AGENT_POWER, bot, version)


def bridge_state(conversation: Conversation, inbox: Inbox, bot: Mxid) -> list[Content]:
    """What the room is a bridge to, for clients that show it (MSC2346, under both its names)."""
    content = {
        "bridgebot": bot,
        "protocol": {"id": "email", "displayname": "Email"},
        "network": {"id": inbox.id, "displayname": f"{inbox.name} <{inbox.address}>"},
        "channel": {"id": str(conversation.number), "displayname": str(conversation.contact)},
    }
    key = f"app.postroom/{inbox.id}/{conversation.number}"
    return [state_event(type, content, key) for type in ("m.bridge", "uk.half-shot.bridge")]


def room_summary(conversation: Conversation) -> Content:
    """How a conversation stands, for other tools; times are milliseconds, as Matrix has them."""
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
