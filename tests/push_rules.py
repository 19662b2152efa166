"""Which events notify a person, by the push rules that every account begins with.

Client-Server API v1.14 §11.12.1.6, predefined rules, in their order. Rules of calls, server ACLs
and encryption are left out: those events do not occur in rooms of the bridge.
"""

from __future__ import annotations

from typing import Any


def notifies(event: dict[str, Any], me: str, members: int) -> tuple[bool, str]:
    """(whether `me` is notified, the rule that decides). `members`: how many are in the room."""
    content = event.get("content", {})
    relation = content.get("m.relates_to", {})
    mentions = content.get("m.mentions")
    if event["sender"] == me:
        return False, "my own"
    if content.get("msgtype") == "m.notice":
        return False, "suppress_notices"
    if event["type"] == "m.room.member":
        for_me = event.get("state_key") == me and content.get("membership") == "invite"
        return (True, "invite_for_me") if for_me else (False, "member_event")
    if isinstance(mentions, dict) and me in mentions.get("user_ids", ()):
        return True, "is_user_mention"
    body = str(content.get("body", ""))
    if mentions is None and me[1:].partition(":")[0] in body.lower():
        return True, "contains_user_name"
    if isinstance(mentions, dict) and mentions.get("room") is True:
        return True, "is_room_mention"
    if event["type"] == "m.room.tombstone":
        return True, "tombstone"
    if event["type"] == "m.reaction":
        return False, "reaction"
    if relation.get("rel_type") == "m.replace":
        return False, "suppress_edits"
    if event["type"] == "m.room.message" and members == 2:
        return True, "room_one_to_one"
    if event["type"] == "m.room.message":
        return True, "message"
    return False, "no rule"
