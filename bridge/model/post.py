"""What we want in Matrix: where, and known by which key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Self, assert_never

from bridge.model.ids import Content, EventId, InboxId, MailId, Number, RoomId
from bridge.model.mail import Attachment


class Role(StrEnum):
    """What a room of ours is for."""

    CONTROL = "control"
    SPACE = "space"
    QUEUE = "queue"
    CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class Place:
    """A room by what it is for, named before it is made; or any room by its id."""

    role: Role | None
    inbox: InboxId | None = None
    conversation: Number | None = None
    room: RoomId | None = None

    @classmethod
    def queue(cls, inbox: InboxId) -> Self:
        return cls(Role.QUEUE, inbox)

    @classmethod
    def space(cls, inbox: InboxId) -> Self:
        return cls(Role.SPACE, inbox)

    @classmethod
    def of(cls, conversation: Number) -> Self:
        return cls(Role.CONVERSATION, conversation=conversation)

    @classmethod
    def at(cls, room: RoomId) -> Self:
        return cls(None, room=room)

    def __str__(self) -> str:
        """As the database keeps it, and as lanes of jobs begin."""
        if self.role is None:
            return str(self.room)
        what = self.inbox if self.inbox is not None else self.conversation
        return self.role if what is None else f"{self.role}:{what}"

    @classmethod
    def read(cls, text: str) -> Self:
        """What `str` made of one."""
        name, _, what = text.partition(":")
        role = next((each for each in Role if each == name), None)
        if role is None:
            return cls.at(RoomId(text))
        if role is Role.CONVERSATION:
            return cls.of(Number(int(what)))
        return cls(role, InboxId(what) if what else None)


CONTROL = Place(Role.CONTROL)


class Shows(StrEnum):
    """What a post shows, or does. What becomes of it when a person is erased is decided for each of
    them (`desk/admin/erase`)."""

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
    STANDING = "standing"
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
    """That a job failed for good."""
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
            | Shows.AUTOMATIC | Shows.NAME | Shows.TOPIC | Shows.AVATAR | Shows.STANDING
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
        if number is None or shows in (Shows.ANSWER, Shows.DEAD, Shows.RESTORED):
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
    already_there: bool = False
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
