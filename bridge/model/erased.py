"""What becomes of each kind of post when somebody is erased."""

from __future__ import annotations

from enum import Enum, auto
from typing import assert_never

from bridge.model.post import Shows


class Erased(Enum):
    """What erasing a person or a conversation does with a post."""

    WITH_ITS_ROOM = auto()
    """It is only in the conversation's room, which is emptied, or says nothing of anybody."""
    OUTSIDE = auto()
    """It tells of the conversation, or of a mail of it, in other rooms: it is redacted there."""
    WHERE_IT_NAMES = auto()
    """It may tell of anybody: it is redacted where it links the room or names the person."""


def erased(shows: Shows) -> Erased:
    """What becomes of a post. A new kind of post has to be named here: mypy asks for it."""
    match shows:
        case Shows.CARD | Shows.REMINDER | Shows.NOTIFY | Shows.MAIL | Shows.FILE:
            return Erased.OUTSIDE
        case (
            Shows.ANSWER | Shows.REPORT | Shows.REHEARSED | Shows.EXPORT | Shows.DEAD | Shows.HOOK
            | Shows.RULE | Shows.OVERFLOW | Shows.RESTORED | Shows.ORIGINAL | Shows.TELL
        ):  # fmt: skip
            return Erased.WHERE_IT_NAMES
        case (
            Shows.FORWARDED | Shows.BOUNCE | Shows.TWIN | Shows.WENT | Shows.STATUS | Shows.SIGN
            | Shows.AUTOMATIC | Shows.NAME | Shows.TOPIC | Shows.AVATAR | Shows.ROOM_SUMMARY
            | Shows.FACE | Shows.POWERS | Shows.JOIN_RULES | Shows.PARENT | Shows.CHILD
            | Shows.ENTER | Shows.INVITE | Shows.EXPEL | Shows.VACATE | Shows.AGAIN | Shows.OPENING
            | Shows.MERGED | Shows.GOES_ON | Shows.SPLIT | Shows.AWAKE | Shows.HAND | Shows.CLAIM
            | Shows.SUMMARY | Shows.PINNED | Shows.OWNER | Shows.POINTER | Shows.WIPE
            | Shows.WELCOME | Shows.ALARM | Shows.ALARM_OVER | Shows.LOGIN | Shows.DISK
            | Shows.ENCRYPTED
        ):  # fmt: skip
            return Erased.WITH_ITS_ROOM
        case _:
            assert_never(shows)
