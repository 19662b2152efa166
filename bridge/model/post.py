"""Posts: the events the bridge wants in Matrix, their places and their keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bridge.model.ids import Content, EventId, MailId, Number
from bridge.model.mail import Attachment
from bridge.model.place import Place


class Shows(StrEnum):
    """What a post shows or does. `model/erased` decides for each member how it is treated when a
    person is erased."""

    MAIL = "mail"
    FILE = "file"
    FORWARDED = "forwarded"
    """The 👤 reaction that offers the forwarded sender as the contact."""
    BOUNCE = "bounce"
    TWIN = "twin"
    """Tells that the same mail arrived in another inbox, too."""
    WENT = "went"
    """Tells of an outgoing mail, in the room that its conversation was merged into."""
    NOTIFY = "notify"
    """A rule's message to people about a mail."""

    STATUS = "status"
    """Status message of a delivery."""
    SIGN = "sign"
    """State of a delivery, as a reaction to the message that is sent."""
    AUTOMATIC = "automatic"
    PLANNED = "planned"
    """Asks whether a mail that was planned shall leave."""

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
    """State event by which a space lists a room."""
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
    ANEW = "anew"
    """Tells that the room replaces one that was lost."""
    CARD = "card"
    HAND = "hand"
    CLAIM = "claim"
    SUMMARY = "summary"
    PINNED = "pinned"

    ANSWER = "answer"
    """Answer to a command."""
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
    """Tells that a job failed permanently."""
    ALARM = "alarm"
    ALARM_OVER = "alarm-over"
    LOGIN = "login"
    DRAFT_MAIL = "draft-mail"
    """Shows a mail that came for an inbox that is not live."""
    DISK = "disk"
    HOOK = "hook"
    RULE = "rule"
    """Tells that a rule could not do everything it says."""
    OVERFLOW = "overflow"
    ENCRYPTED = "encrypted"
    REFUSED = "refused"
    """Tells that the homeserver refused something that the rest does not need."""
    SETUP = "setup"
    """Tells that a room of the bridge cannot be made."""
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class PostKey:
    """Identifies a post: putting the same key again changes the post instead of adding one.

    `text` is unique; `mail`, `delivery` and `conversation` say what the post belongs to, if any.
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
        """Parse a key from its text alone. Old databases stored only the text, without the
        columns mail, delivery and conversation."""
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

    def renamed(self, *when: object) -> Self:
        """The key that the existing post is renamed to, so that this key makes a new post."""
        more = ":".join(map(str, when))
        return type(self)(
            self.shows, f"{self.text}:{more}", self.mail, self.delivery, self.conversation
        )


OF_NOTHING = (
    Shows.ANSWER, Shows.DEAD, Shows.RESTORED, Shows.SUMMARY, Shows.PINNED, Shows.OVERFLOW,
    Shows.RULE, Shows.ALARM, Shows.ALARM_OVER, Shows.LOGIN, Shows.DISK, Shows.HOOK,
    Shows.REHEARSED, Shows.REPORT, Shows.TELL, Shows.SIGN, Shows.REFUSED, Shows.SETUP,
)  # fmt: skip
"""Kinds whose keys hold no conversation number after the first word (an inbox, for example)."""
OF_MAILS = (
    Shows.MAIL, Shows.FILE, Shows.FORWARDED, Shows.BOUNCE, Shows.TWIN, Shows.WENT, Shows.NOTIFY,
)  # fmt: skip


def _text(shows: Shows, *what: object) -> str:
    return ":".join(map(str, (shows, *what)))


MEMBER = "m.room.member"


class Kind(StrEnum):
    """How a post is carried out in Matrix."""

    MESSAGE = "message"
    STATE = "state"
    REACTION = "reaction"
    REDACTION = "redaction"
    INVITE = "invite"
    KICK = "kick"
    ENTER = "enter"


Target = PostKey | EventId
"""The event a post relates to: that of another post, or any event by its id."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for one post in Matrix."""

    key: PostKey
    place: Place
    sender: str
    kind: Kind
    content: Content
    type: str = "m.room.message"
    state_key: str = ""
    target: Target | None = None
    lane: str = ""
    """Lane of its job; empty for the lane of its room, which keeps the order of posts."""
    exists_already: bool = False
    """The room was created with this state, so nothing is sent."""
    is_deferred: bool = False
    """Deferred: stored only; a later request under the same key sends it."""

    @classmethod
    def reaction(cls, key: PostKey, place: Place, sender: str, emoji: str, target: Target) -> Self:
        """A reaction to `target`; an empty emoji removes the reaction."""
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
    def invitation(
        cls, key: PostKey, place: Place, sender: str, who: str, *, direct: bool = False
    ) -> Self:
        """An invitation, to a direct chat where `direct`."""
        content: Content = {"is_direct": True} if direct else {}
        return cls(key, place, sender, Kind.INVITE, content, MEMBER, who)

    @classmethod
    def removal(cls, key: PostKey, place: Place, sender: str, who: str, reason: str) -> Self:
        return cls(key, place, sender, Kind.KICK, {"reason": reason}, MEMBER, who)


@dataclass(frozen=True, slots=True)
class Post:
    """One post as stored. If `version` is higher than `sent`, the room does not show the newest
    version yet."""

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
    """The event this post relates to, if that event is not a post of ours."""
    target_key: str
    """Key text of the post that this one relates to; empty for none."""
    spoken_by: str = ""
    """Who sent the event in place of `sender`, which could not; empty if `sender` did."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail that is to be uploaded to the media repository."""

    raw: int
    attachment: Attachment
    mxc: str
    """The reserved mxc:// URI; empty until one is reserved."""
    done: bool
