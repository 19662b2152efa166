"""The Desk: one frozen object with everything a command or job handler needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from bridge.chat import command, render, room
from bridge.chat.new_room import NewRooms
from bridge.config.inbox import Inbox
from bridge.config.settings import Settings
from bridge.config.vault import Keys
from bridge.desk.directory import Directory
from bridge.desk.grants import Grants
from bridge.mail.token import Links, Tokens
from bridge.model import (
    Address,
    Content,
    EventId,
    InboxId,
    Letter,
    MailId,
    Mxid,
    Number,
    Place,
    Post,
    Refused,
    Role,
    RoomId,
    Shows,
    Transient,
)
from bridge.ports import Chat, Hooks, Mailbox, NameServers, Prober, Reader, Sender, Store, Tx


@dataclass(frozen=True, slots=True)
class Desk:
    """The interfaces to the outside, the inboxes, the keys for signing and naming, the clock."""

    store: Store
    chat: Chat
    sender: Sender
    mailbox: Mailbox
    reader: Reader
    prober: Prober
    hooks: Hooks
    names: NameServers
    directory: Directory
    grants: Grants
    keys: Keys
    now: Callable[[], float]
    draw: Callable[[str], Awaitable[bytes]]
    """Draws the HTML of a mail as a PNG. Raises Permanent where it cannot be drawn here."""
    command_words: Collection[str]
    """The first word of every command, for example `reply` or `inbox`."""

    @property
    def settings(self) -> Settings:
        """The current settings; they change while the bridge runs, when admins edit inboxes."""
        return self.directory.settings

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.keys.ids, self.keys.former)

    @property
    def original_links(self) -> Links:
        return Links(self.keys.pages)

    @property
    def preview_links(self) -> Links:
        """Signs links to the page that previews a draft email."""
        return Links(self.keys.drafts, "draft")

    @property
    def template_links(self) -> Links:
        """Signs links to the page with a sample mail of an inbox."""
        return Links(self.keys.drafts, "template")

    @property
    def server_name(self) -> str:
        return self.settings.homeserver.server_name

    @property
    def room_version(self) -> str:
        return self.settings.homeserver.room_version

    @property
    def new_rooms(self) -> NewRooms:
        """Builds the requests that create our rooms on the homeserver."""
        homeserver = self.settings.homeserver
        return NewRooms(
            self.room_version, self.bot, self.server_name, self.settings.command_prefix,
            avoids_encryption=homeserver.encryption == "avoid",
        )  # fmt: skip

    @property
    def commands(self) -> command.CommandReader:
        return command.CommandReader(self.settings.command_prefix, self.command_words)

    def with_prefix(self, text: str) -> str:
        """`text` with `!` before each command replaced by this installation's command prefix."""
        return command.named(text, self.settings.command_prefix, self.command_words)

    def quiet_message(self, text: str) -> Content:
        """An m.notice from the bridge, which notifies nobody. `text` names commands with `!`."""
        return render.notice(self.with_prefix(text))

    def message(self, text: str) -> Content:
        """A message from the bridge that notifies people. `text` names commands with `!`."""
        return render.text_message(self.with_prefix(text))

    @property
    def own_prefix(self) -> str:
        """The prefix of the Matrix ids of the bot and of all ghosts."""
        return f"@{self.settings.appservice.prefix}"

    @property
    def bot(self) -> Mxid:
        return Mxid(f"{self.own_prefix}bot:{self.server_name}")

    @property
    def own_addresses(self) -> frozenset[str]:
        """The addresses of all inboxes, case-folded; we never send mail to one of them."""
        return frozenset().union(*(inbox.own for inbox in self.settings.inboxes.values()))

    def is_own(self, mxid: str) -> bool:
        return mxid.startswith(self.own_prefix) and mxid.endswith(f":{self.server_name}")

    def knows(self, inbox: InboxId) -> bool:
        """Whether an inbox is in the configuration, or was."""
        directory = self.directory
        return any(
            inbox in each for each in (directory.removed, directory.problems, self.settings.inboxes)
        )

    def inbox(self, inbox: InboxId | None) -> Inbox:
        """The inbox with this id; one removed by chat neither receives nor sends any more. Raises
        Refused for an unknown id, Transient for a live inbox that cannot be used."""
        known = {**self.directory.removed, **self.settings.inboxes}
        found = known.get(inbox) if inbox is not None else None
        if found is None and inbox in self.directory.problems:
            problem = self.directory.problems[inbox]
            raise Transient(f"inbox {inbox} cannot be used: {problem}")
        if found is None:
            raise Refused(f"Inbox {inbox} is not in the configuration any more.")
        return found

    def ghost(self, address: Address) -> Mxid:
        prefix = self.settings.appservice.prefix
        return Mxid(f"@{room.ghost_localpart(prefix, address)}:{self.server_name}")

    def alias(self, role: Role, key: object) -> str:
        """The localpart of a room's alias."""
        return room.alias_localpart(
            self.settings.appservice.prefix, self.keys.for_aliases, role, key
        )

    async def resolve(self, tx: Tx, place: Place) -> RoomId | None:
        """The room of a place; None when the room is not created yet."""
        if place.conversation is not None:
            return (await tx.conversations.get(place.conversation)).room
        if place.role is None:
            return place.room
        found = await tx.rooms.find(place.role, place.inbox)
        return found.id if found else None


def mail_shown(post: Post | None) -> MailId | None:
    """The mail a post shows, as its text or one of its files."""
    shows_one = post is not None and post.key.shows in (Shows.MAIL, Shows.FILE)
    return post.key.mail if post is not None and shows_one else None


async def mail_meant(tx: Tx, number: Number, event: EventId) -> Letter | None:
    """The mail of a conversation that an event shows; None when it shows none."""
    mail = mail_shown(await tx.posts.by_event(event))
    letter = await tx.mails.letter(mail) if mail is not None else None
    return letter if letter is not None and letter.conversation == number else None
