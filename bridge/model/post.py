"""What we want in Matrix: where, and known by which key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bridge.model.ids import Content, EventId, MailId, Number
from bridge.model.mail import Attachment
from bridge.model.place import Place


class Shows(StrEnum):
    """What a post shows, or does. What becomes of it when a person is erased is decided for each of
    them (`model/erased`)."""

    MAIL = "mail"
    FILE = "file"
    FORWARDED = "forwarded"
    """👤 under a mail that a colleague forwarded."""
    BOUNCE = "bounce"
    TWIN = "twin"
    """That a mail went to another inbox, too."""
    WENT = "went"
    """That we had sent a mail, in the conversation it was merged into."""
    NOTIFY = "notify"
    """What a rule tells people of a mail."""

    STATUS = "status"
    """Of a delivery."""
    SIGN = "sign"
    """Its state, as a reaction on the message sent."""
    AUTOMATIC = "automatic"

    NAME = "name"
    TOPIC = "topic"
    AVATAR = "avatar"
    ROOM_SUMMARY = "standing"
    """State of a conversation for other programs."""
    FACE = "face"
    """The picture of a conversation's contact."""
    POWERS = "powers"
    JOIN_RULES = "m.room.join_rules"
    PARENT = "m.space.parent"
    CHILD = "child"
    """That a space lists a room."""
    ENTER = "enter"
    INVITE = "invite"
    EXPEL = "expel"
    VACATE = "vacate"
    AGAIN = "again"

    OPENING = "opening"
    """The first mail of a conversation that we began."""
    MERGED = "merged"
    GOES_ON = "goes-on"
    SPLIT = "split"
    AWAKE = "awake"
    REMINDER = "reminder"
    CARD = "card"
    HAND = "hand"
    CLAIM = "claim"
    SUMMARY = "summary"
    PINNED = "pinned"

    ANSWER = "answer"
    """To something somebody said."""
    TELL = "tell"
    OWNER = "owner"
    ORIGINAL = "original"
    EXPORT = "export"
    REPORT = "report"
    REHEARSED = "rehearsed"
    POINTER = "pointer"
    WIPE = "wipe"

    WELCOME = "welcome"
    DEAD = "dead"
    """That a job failed permanently."""
    ALARM = "alarm"
    ALARM_OVER = "alarm-over"
    LOGIN = "login"
    DISK = "disk"
    HOOK = "hook"
    RULE = "rule"
    """That a rule could not do all it says."""
    OVERFLOW = "overflow"
    ENCRYPTED = "encrypted"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class PostKey:
    """What makes a post the one it is: putting the same key again changes it.

    `text` is unique; the fields beside it say what the post belongs to, where it does.
    """

    shows: Shows
    text: str
    mail: MailId | None = None
    delivery: int | None = None
    conversation: Number | None = None

    @classmethod
    def of_mail(cls, shows: Shows, mail: MailId, *more: object) -> Self:
        return cls(shows, _text(shows, mail, *more), mail=mail)

    @classmethod
    def of_delivery(cls, shows: Shows, delivery: int) -> Self:
        return cls(shows, _text(shows, delivery), delivery=delivery)

    @classmethod
    def of_conversation(cls, shows: Shows, number: Number, *more: object) -> Self:
        return cls(shows, _text(shows, number, *more), conversation=number)

    @classmethod
    def other(cls, shows: Shows, *what: object) -> Self:
        return cls(shows, _text(shows, *what))

    @classmethod
    def read(cls, text: str) -> Self:
        """Of a database of before these columns, where only the text was kept."""
        first, *rest = text.split(":")
        shows = next((each for each in Shows if each == first), Shows.ANSWER)
        number = int(rest[0]) if rest and rest[0].isdecimal() else None
        if number is None or shows in OF_NOTHING:
            return cls(shows, text)
        if shows in (Shows.STATUS, Shows.AUTOMATIC):
            return cls(shows, text, delivery=number)
        if shows in OF_MAILS:
            other = int(rest[-1]) if "in" in rest or shows is Shows.FORWARDED else None
            return cls(shows, text, MailId(number), None, Number(other) if other else None)
        return cls(shows, text, conversation=Number(number))

    def copy_in(self, number: Number) -> Self:
        """The key of the same mail or file in another conversation's room."""
        return type(self)(self.shows, f"{self.text}:in:{number}", self.mail, None, number)

    @property
    def is_copy(self) -> bool:
        return self.mail is not None and self.conversation is not None

    def until(self, *when: object) -> Self:
        """The key of what this showed before: what is put under it from now on is another post."""
        more = ":".join(map(str, when))
        return type(self)(
            self.shows, f"{self.text}:{more}", self.mail, self.delivery, self.conversation
        )


OF_NOTHING = (
    Shows.ANSWER, Shows.DEAD, Shows.RESTORED, Shows.SUMMARY, Shows.PINNED, Shows.OVERFLOW,
    Shows.RULE, Shows.ALARM, Shows.ALARM_OVER, Shows.LOGIN, Shows.DISK, Shows.HOOK,
    Shows.REHEARSED, Shows.REPORT, Shows.TELL, Shows.SIGN,
)  # fmt: skip
"""What follows the first word of their keys, an inbox perhaps, is the number of no conversation."""
OF_MAILS = (
    Shows.MAIL, Shows.FILE, Shows.FORWARDED, Shows.BOUNCE, Shows.TWIN, Shows.WENT, Shows.NOTIFY,
)  # fmt: skip


def _text(shows: Shows, *what: object) -> str:
    return ":".join(map(str, (shows, *what)))


MEMBER = "m.room.member"


class Kind(StrEnum):
    """What a post puts into Matrix."""

    MESSAGE = "message"
    STATE = "state"
    REACTION = "reaction"
    REDACTION = "redaction"
    INVITE = "invite"
    KICK = "kick"
    ENTER = "enter"


Target = PostKey | EventId
"""What a post is about: another post, or any event."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing wanted in Matrix."""

    key: PostKey
    place: Place
    sender: str
    kind: Kind
    content: Content
    type: str = "m.room.message"
    state_key: str = ""
    target: Target | None = None
    lane: str = ""
    """Where it has one of its own; else posts of a room go in their order."""
    exists_already: bool = False
    """The room was made with it."""
    held: bool = False
    """Not yet: a later one under the same key brings it."""

    @classmethod
    def reaction(cls, key: PostKey, place: Place, sender: str, emoji: str, target: Target) -> Self:
        """An empty emoji takes it back."""
        return cls(key, place, sender, Kind.REACTION, {"emoji": emoji}, "m.reaction", "", target)

    @classmethod
    def state(cls, key: PostKey, place: Place, sender: str, type: str, content: Content) -> Self:
        return cls(key, place, sender, Kind.STATE, content, type)

    @classmethod
    def message(
        cls, key: PostKey, place: Place, sender: str, content: Content, target: Target | None = None
    ) -> Self:
        return cls(key, place, sender, Kind.MESSAGE, content, target=target)

    @classmethod
    def invitation(cls, key: PostKey, place: Place, sender: str, who: str) -> Self:
        return cls(key, place, sender, Kind.INVITE, {}, MEMBER, who)

    @classmethod
    def removal(cls, key: PostKey, place: Place, sender: str, who: str, reason: str) -> Self:
        return cls(key, place, sender, Kind.KICK, {"reason": reason}, MEMBER, who)


@dataclass(frozen=True, slots=True)
class Post:
    """One thing wanted in Matrix, as it is kept. A higher `version` than `sent` means the room is
    behind."""

    id: int
    key: PostKey
    lane: str
    place: Place
    sender: str
    kind: Kind
    type: str
    state_key: str
    content: Content
    version: int
    sent: int
    event: EventId | None
    target: EventId | None
    """The event this one relates to, where it is no post of ours."""
    target_key: str
    """Text of the key of the post this one relates to; empty for none."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail on its way to the media repository: which raw mail, which part."""

    raw: int
    attachment: Attachment
    mxc: str
    """Empty until an address is reserved."""
    done: bool
