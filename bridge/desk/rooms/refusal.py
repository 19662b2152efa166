"""What the homeserver may refuse without stopping anything else: decorations and invitations."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.desk.desk import Desk
from bridge.desk.rooms.refresh import tell_control
from bridge.model import HomeserverError, Kind, Post, PostKey, Room, Shows
from bridge.ports import Tx

PICTURES = "pictures of people in rooms"
DECORATIONS: Mapping[Shows, str] = {
    Shows.NAME: "names of rooms",
    Shows.TOPIC: "topics of rooms",
    Shows.AVATAR: "pictures of rooms",
    Shows.FACE: "pictures of rooms",
    Shows.ROOM_SUMMARY: "the state of conversations for other programs",
    Shows.PARENT: "the way from a room to its space",
    Shows.CHILD: "the list of rooms in a space",
    Shows.PINNED: "pinned messages",
    Shows.HAND: "reactions",
    Shows.CLAIM: "reactions",
    Shows.SIGN: "reactions",
    Shows.FORWARDED: "reactions",
}
"""What rooms can do without, in words for admins."""


def is_optional(post: Post) -> bool:
    """Whether the room is as useful without this post."""
    return post.kind is Kind.INVITE or post.key.shows in DECORATIONS


async def tell_refused(tx: Tx, desk: Desk, what: str, error: HomeserverError) -> None:
    """Tell the admins that the homeserver refuses a kind of decoration; once for each kind."""
    key = PostKey.other(Shows.REFUSED, what)
    if await tx.posts.by_key(key) is None:
        text = f"⚠️ The homeserver refuses {what}: {error.reason}\nAll else goes on without them."
        await tell_control(tx, desk, key, text)


async def tell_not_invited(
    tx: Tx, desk: Desk, post: Post, room: Room | None, error: HomeserverError
) -> None:
    """Tell the admins that somebody cannot be invited into a room; once for each room of the
    bridge, and once for all conversations of an inbox."""
    where, again = "a room", ""
    if room is not None and room.conversation is not None:
        where = f"conversations of {desk.inbox(room.inbox).name}"
    elif room is not None:
        names = {
            "control": "the control room", "queue": "the queue room", "space": "the space",
            "direct": "their direct chat with the bot",
        }  # fmt: skip
        of = f" of {desk.inbox(room.inbox).name}" if room.inbox is not None else ""
        where = f"{names[room.role]}{of}"
        again = " The bridge tries again every hour."
    key = PostKey.other(Shows.REFUSED, Shows.INVITE, post.state_key, where)
    text = (
        f"⚠️ {post.state_key} cannot be invited into {where}: {error.reason}\nEither they refuse"
        f" invitations, or the homeserver does (block_non_admin_invites).{again}"
    )
    await tell_control(tx, desk, key, text)


async def note(tx: Tx, desk: Desk, post: Post, room: Room | None, error: HomeserverError) -> None:
    """Tell of an optional post that was refused."""
    if post.kind is Kind.INVITE:
        await tell_not_invited(tx, desk, post, room, error)
    else:
        await tell_refused(tx, desk, DECORATIONS[post.key.shows], error)
