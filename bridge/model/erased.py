"""How each kind of post is treated when a person is erased."""

from __future__ import annotations

from enum import Enum, auto
from typing import assert_never

from bridge.model.post import Shows


class Erased(Enum):
    """Which copies of a post are redacted when a person or a conversation is erased."""

    WITH_ITS_ROOM = auto()
    """It is only in the conversation's room, which is emptied, or names no person."""
    OUTSIDE = auto()
    """It shows the conversation, or a mail of it, in other rooms: it is redacted there."""
    WHERE_IT_NAMES = auto()
    """It may mention any person: it is redacted if it links the room or names the person."""


def erased(shows: Shows) -> Erased:
    """How a kind of post is treated. mypy fails until every new kind is listed here."""
    match shows:
        case Shows.CARD | Shows.REMINDER | Shows.NOTIFY | Shows.MAIL | Shows.FILE:
            return Erased.OUTSIDE
        case (
            Shows.ANSWER | Shows.REPORT | Shows.REHEARSED | Shows.EXPORT | Shows.DEAD | Shows.HOOK
            | Shows.RULE | Shows.OVERFLOW | Shows.RESTORED | Shows.ORIGINAL | Shows.TELL
            | Shows.DRAFT_MAIL
        ):  # fmt: skip
            return Erased.WHERE_IT_NAMES
        case (
            Shows.FORWARDED | Shows.BOUNCE | Shows.TWIN | Shows.WENT | Shows.STATUS | Shows.SIGN
            | Shows.PLANNED
            | Shows.AUTOMATIC | Shows.NAME | Shows.TOPIC | Shows.AVATAR | Shows.ROOM_SUMMARY
            | Shows.FACE | Shows.POWERS | Shows.JOIN_RULES | Shows.PARENT | Shows.CHILD
            | Shows.ENTER | Shows.INVITE | Shows.EXPEL | Shows.VACATE | Shows.AGAIN | Shows.OPENING
            | Shows.MERGED | Shows.GOES_ON | Shows.SPLIT | Shows.AWAKE | Shows.HAND | Shows.CLAIM
            | Shows.SUMMARY | Shows.PINNED | Shows.OWNER | Shows.POINTER | Shows.WIPE
            | Shows.WELCOME | Shows.ALARM | Shows.ALARM_OVER | Shows.LOGIN | Shows.DISK
            | Shows.ENCRYPTED | Shows.REFUSED | Shows.SETUP | Shows.ANEW
        ):  # fmt: skip
            return Erased.WITH_ITS_ROOM
        case _:
            assert_never(shows)
