"""The Matrix rooms of the bridge, and their members."""

from __future__ import annotations

from typing import Any

from bridge.model import InboxId, Mxid, Number, Role, Room, RoomId
from bridge.store.connection import Connection


class Rooms:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def save(self, room: Room) -> None:
        await self._conn.execute(
            "INSERT INTO room (room, role, inbox, number, version) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (room) DO UPDATE SET inbox = $3",
            room.id,
            room.role,
            room.inbox,
            room.conversation,
            room.version,
        )

    async def forget(self, room: RoomId) -> None:
        """Delete a room and what is known of its members."""
        for table in ("member", "seen", "room"):
            await self._conn.execute(f"DELETE FROM {table} WHERE room = $1", room)

    async def known(self, room: RoomId) -> Room | None:
        row = await self._conn.fetchrow("SELECT * FROM room WHERE room = $1", room)
        return None if row is None else _room(row)

    async def find(self, role: Role, inbox: InboxId | None = None) -> Room | None:
        """The control room, or an inbox's space or queue room."""
        row = await self._conn.fetchrow(
            "SELECT * FROM room WHERE role = $1 AND COALESCE(inbox, '') = $2", role, inbox or ""
        )
        return None if row is None else _room(row)

    async def direct_of(self, mxid: Mxid) -> Room | None:
        """The direct chat of a person with the bot, also one they have left."""
        row = await self._conn.fetchrow(
            "SELECT room.* FROM room JOIN member ON member.room = room.room"
            " WHERE role = 'direct' AND mxid = $1",
            mxid,
        )
        return None if row is None else _room(row)

    async def of_inbox(self, inbox: InboxId) -> list[Room]:
        rows = await self._conn.fetch("SELECT * FROM room WHERE inbox = $1", inbox)
        return [_room(row) for row in rows]

    async def set_member(self, room: RoomId, mxid: Mxid, membership: str) -> None:
        await self._conn.execute(
            "INSERT INTO member (room, mxid, membership) VALUES ($1, $2, $3)"
            " ON CONFLICT (room, mxid) DO UPDATE SET membership = $3",
            room,
            mxid,
            membership,
        )

    async def membership(self, room: RoomId, mxid: Mxid) -> str:
        """The membership (join, invite, knock, leave or ban); empty when it was never stored."""
        value = await self._conn.fetchval(
            "SELECT membership FROM member WHERE room = $1 AND mxid = $2", room, mxid
        )
        return value or ""

    async def members(self, room: RoomId) -> list[Mxid]:
        rows = await self._conn.fetch(
            "SELECT mxid FROM member WHERE room = $1 AND membership = 'join' ORDER BY mxid", room
        )
        return [Mxid(row["mxid"]) for row in rows]

    async def invited(self, room: RoomId) -> list[Mxid]:
        """The users who are invited and have not joined yet."""
        rows = await self._conn.fetch(
            "SELECT mxid FROM member WHERE room = $1 AND membership = 'invite' ORDER BY mxid", room
        )
        return [Mxid(row["mxid"]) for row in rows]

    async def rooms_of(self, mxid: Mxid) -> list[RoomId]:
        """Our rooms this user is in, or is invited to."""
        rows = await self._conn.fetch(
            "SELECT room FROM member WHERE mxid = $1 AND membership IN ('join', 'invite')", mxid
        )
        return [RoomId(row["room"]) for row in rows]

    async def knows(self, mxid: Mxid) -> bool:
        """Whether this user is or was in one of our rooms, or invited."""
        found = await self._conn.fetchval("SELECT 1 FROM member WHERE mxid = $1 LIMIT 1", mxid)
        return found is not None

    async def agents(self, inbox: InboxId) -> list[Mxid]:
        """The joined members of the inbox's queue room."""
        rows = await self._conn.fetch(
            "SELECT mxid FROM member JOIN room ON room.room = member.room"
            " WHERE role = 'queue' AND inbox = $1 AND membership = 'join' ORDER BY mxid",
            inbox,
        )
        return [Mxid(row["mxid"]) for row in rows]

    async def is_agent(self, inbox: InboxId, mxid: Mxid) -> bool:
        return mxid in await self.agents(inbox)


def _room(row: Any) -> Room:
    return Room(
        id=RoomId(row["room"]),
        role=Role(row["role"]),
        inbox=None if row["inbox"] is None else InboxId(row["inbox"]),
        conversation=None if row["number"] is None else Number(row["number"]),
        version=row["version"],
    )
