"""Conversations, their participants, and recipients that agents set for the next emails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from bridge.model import (
    FINISHED_CONVERSATIONS,
    Address,
    Conversation,
    ConversationChanges,
    Filter,
    InboxId,
    Mxid,
    Number,
    Permanent,
    Priority,
    RoomId,
    State,
    key_of,
)
from bridge.model.conversation import NewConversation
from bridge.store.connection import Connection
from bridge.store.words import contains, listed


class Conversations:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def create(self, new: NewConversation) -> Conversation:
        """Add a conversation with the next number. No sequence is used, as it would leave gaps when
        a transaction fails; only one is open at a time, so MAX + 1 is safe. After a restore,
        numbers start at the setting `first-number`."""
        first = await self._conn.fetchval("SELECT value FROM setting WHERE name = 'first-number'")
        row = await self._conn.fetchrow(
            "INSERT INTO conversation (number, inbox, contact, contact_name, subject, state,"
            " created_at, changed_at, waiting_since, preview, files, claim, follows, contact_key)"
            " VALUES ((SELECT CASE WHEN COALESCE(MAX(number), 0) < $12 THEN $12"
            "  ELSE MAX(number) + 1 END FROM conversation),"
            " $1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $13) RETURNING *",
            new.inbox,
            new.contact.spec,
            new.contact.name,
            new.subject,
            State.OPEN,
            new.at,
            new.at if new.waits else None,
            new.preview,
            new.files,
            new.claim,
            new.follows,
            int(first or 1),
            new.contact.key,
        )
        return _conversation(row)

    async def get(self, number: Number) -> Conversation:
        row = await self._conn.fetchrow("SELECT * FROM conversation WHERE number = $1", number)
        if row is None:
            raise Permanent(f"there is no conversation #{number}")
        return _conversation(row)

    async def exists(self, inbox: InboxId, number: Number) -> bool:
        """Whether the conversation belongs to this inbox and is not erased."""
        return (
            await self._conn.fetchval(
                "SELECT number FROM conversation"
                " WHERE number = $1 AND inbox = $2 AND contact <> ''",
                number,
                inbox,
            )
        ) is not None

    async def current_number(self, inbox: InboxId, number: Number) -> Number | None:
        """The conversation where an inbox's mail for `number` goes now: it may have been merged
        into another one, or moved to another inbox. None where it was never of this inbox."""
        passed: set[Number] = set()
        while number not in passed:
            passed.add(number)
            row = await self._conn.fetchrow(
                "SELECT inbox, contact, merged FROM conversation WHERE number = $1", number
            )
            if row is None or (row["merged"] is None and not row["contact"]):
                return None
            if row["merged"] is None:
                break
            number = Number(row["merged"])
        if row["inbox"] == inbox:
            return number
        came_here = "SELECT id FROM mail WHERE number = $1 AND inbox = $2 LIMIT 1"
        return number if await self._conn.fetchval(came_here, number, inbox) else None

    async def update(self, number: Number, **changes: Unpack[ConversationChanges]) -> Conversation:
        columns: dict[str, Any] = dict(changes)
        if "contact" in changes:
            contact = changes["contact"]
            columns |= {"contact": contact.spec, "contact_name": contact.name,
                        "contact_key": contact.key}  # fmt: skip
        if "department" in changes:
            columns["department_key"] = changes["department"].casefold()
        if "tags" in changes:
            columns["tags"] = " ".join(changes["tags"])
        if "priority" in changes:
            columns["priority"] = int(changes["priority"])
        assignments = ", ".join(f"{name} = ${i}" for i, name in enumerate(columns, 2))
        row = await self._conn.fetchrow(
            f"UPDATE conversation SET {assignments} WHERE number = $1 RETURNING *",
            number,
            *columns.values(),
        )
        return _conversation(row)

    async def of_inbox(self, inbox: InboxId) -> list[Conversation]:
        """Every conversation of an inbox that has a room, newest first."""
        rows = await self._conn.fetch(
            "SELECT * FROM conversation WHERE inbox = $1 AND room IS NOT NULL ORDER BY number DESC",
            inbox,
        )
        return [_conversation(row) for row in rows]

    async def listed(
        self, inbox: InboxId, which: Filter, limit: int
    ) -> tuple[int, list[Conversation]]:
        """(total count, the first `limit`): high priority first, then longest waiting."""
        conditions: list[tuple[str, Any]] = [("inbox = {}", inbox), ("contact <> {}", "")]
        if which.state is not None:
            conditions.append(("state = {}", which.state))
        conditions += [("state <> {}", each) for each in which.without]
        if which.tag:
            conditions.append((contains("(' ' || tags || ' ')"), f" {which.tag} "))
        if which.department:
            conditions.append(("department_key = {}", which.department.casefold()))
        if which.assignee is not None or which.unassigned:
            conditions.append(("COALESCE(assignee, '') = {}", which.assignee or ""))
        where = " AND ".join(text.format(f"${n}") for n, (text, _) in enumerate(conditions, 1))
        args = [value for _, value in conditions]
        total = await self._conn.fetchval(f"SELECT COUNT(*) FROM conversation WHERE {where}", *args)
        rows = await self._conn.fetch(
            f"SELECT * FROM conversation WHERE {where} ORDER BY priority DESC,"
            f" COALESCE(waiting_since, changed_at), number LIMIT {int(limit)}",
            *args,
        )
        return int(total), [_conversation(row) for row in rows]

    async def to_vacate(self, before: float, limit: int) -> list[Conversation]:
        """Conversations that were closed before a time and whose rooms still have members."""
        rows = await self._conn.fetch(
            f"SELECT * FROM conversation WHERE state IN ({listed(FINISHED_CONVERSATIONS)})"
            " AND closed_at < $1 AND NOT vacated AND room IS NOT NULL AND contact <> ''"
            " ORDER BY number LIMIT $2",
            before,
            limit,
        )
        return [_conversation(row) for row in rows]

    async def overdue(self, inbox: InboxId, since: float, limit: int) -> list[Conversation]:
        """Open conversations whose customer has waited since before `since`, without a reminder
        yet."""
        rows = await self._conn.fetch(
            "SELECT * FROM conversation WHERE inbox = $1 AND state = 'open' AND room IS NOT NULL"
            " AND waiting_since < $2 AND reminded_at < waiting_since"
            " ORDER BY waiting_since LIMIT $3",
            inbox,
            since,
            limit,
        )
        return [_conversation(row) for row in rows]

    async def of_agent(self, inbox: InboxId, mxid: Mxid) -> list[Conversation]:
        """All conversations of an inbox assigned to an agent, closed ones too, oldest first."""
        rows = await self._conn.fetch(
            "SELECT * FROM conversation WHERE inbox = $1 AND assignee = $2 ORDER BY number",
            inbox,
            mxid,
        )
        return [_conversation(row) for row in rows]

    async def open_by_agent(self, inbox: InboxId) -> dict[Mxid, int]:
        """The number of open conversations of each agent who has any."""
        rows = await self._conn.fetch(
            "SELECT assignee, COUNT(*) AS n FROM conversation WHERE inbox = $1"
            " AND state = 'open' AND assignee IS NOT NULL GROUP BY assignee",
            inbox,
        )
        return {Mxid(row["assignee"]): row["n"] for row in rows}

    async def numbers(self, inbox: InboxId) -> list[Number]:
        """Every conversation of an inbox that was not erased, oldest first."""
        rows = await self._conn.fetch(
            "SELECT number FROM conversation WHERE inbox = $1 AND contact <> '' ORDER BY number",
            inbox,
        )
        return [Number(row["number"]) for row in rows]

    async def waiting(self, inbox: InboxId, limit: int) -> tuple[int, int, list[Conversation]]:
        """(conversations in which somebody waits, those without assignee, the first `limit`): by
        priority, then without assignee first, then longest waiting. What only machines wrote waits
        for nobody."""
        (row,) = await self._conn.fetch(
            "SELECT COUNT(*) AS total, COUNT(*) - COUNT(assignee) AS free FROM conversation"
            " WHERE inbox = $1 AND state = 'open' AND waiting_since IS NOT NULL",
            inbox,
        )
        rows = await self._conn.fetch(
            "SELECT * FROM conversation WHERE inbox = $1 AND state = 'open'"
            " AND waiting_since IS NOT NULL"
            " ORDER BY priority DESC, assignee IS NOT NULL, waiting_since, number LIMIT $2",
            inbox,
            limit,
        )
        return row["total"], row["free"], [_conversation(each) for each in rows]

    async def of_contact(self, inbox: InboxId, *specs: str) -> list[Conversation]:
        """The last 20 conversations whose contact has one of the addresses, newest first."""
        marks = ", ".join(f"${n}" for n in range(2, len(specs) + 2))
        rows = await self._conn.fetch(
            f"SELECT * FROM conversation WHERE inbox = $1 AND contact_key IN ({marks})"
            " AND merged IS NULL ORDER BY number DESC LIMIT 20",
            inbox,
            *(key_of(spec) for spec in specs),
        )
        return [_conversation(row) for row in rows]

    async def participants(self, number: Number) -> frozenset[str]:
        """Senders of accepted inbound mail and recipients of mail we sent, case-folded."""
        rows = await self._conn.fetch("SELECT address FROM participant WHERE number = $1", number)
        return frozenset(row["address"] for row in rows)

    async def add_participants(self, number: Number, specs: Sequence[str]) -> None:
        for spec in specs:
            await self._conn.execute(
                "INSERT INTO participant (number, address) VALUES ($1, $2)"
                " ON CONFLICT (number, address) DO NOTHING",
                number,
                key_of(spec),
            )

    async def remove_participants(self, number: Number, specs: Sequence[str]) -> None:
        for spec in specs:
            await self._conn.execute(
                "DELETE FROM participant WHERE number = $1 AND address = $2",
                number,
                key_of(spec),
            )

    async def overrides(self, number: Number) -> list[tuple[str, str, bool]]:
        """(field, address, present) set by `!to !cc !bcc`."""
        rows = await self._conn.fetch(
            "SELECT field, spec, present FROM override WHERE number = $1 ORDER BY field, spec",
            number,
        )
        return [(row["field"], row["spec"], bool(row["present"])) for row in rows]

    async def override(self, number: Number, field: str, spec: str, present: bool) -> None:
        """Set whether an address is in a field; replaces an earlier setting for it in any field."""
        for _, known, _ in await self.overrides(number):
            if key_of(known) == key_of(spec):
                await self._conn.execute(
                    "DELETE FROM override WHERE number = $1 AND spec = $2", number, known
                )
        await self._conn.execute(
            "INSERT INTO override (number, field, spec, present) VALUES ($1, $2, $3, $4)",
            number,
            field,
            spec,
            present,
        )


def _conversation(row: Any) -> Conversation:
    return Conversation(
        number=Number(row["number"]),
        inbox=InboxId(row["inbox"]),
        contact=Address(row["contact"], row["contact_name"]),
        subject=row["subject"],
        state=State(row["state"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        waiting_since=row["waiting_since"],
        room=None if row["room"] is None else RoomId(row["room"]),
        assignee=None if row["assignee"] is None else Mxid(row["assignee"]),
        closed_at=row["closed_at"],
        preview=row["preview"],
        files=row["files"],
        claim=None if row["claim"] is None else Number(row["claim"]),
        follows=None if row["follows"] is None else Number(row["follows"]),
        snoozed_until=row["snoozed_until"],
        tags=tuple(row["tags"].split()),
        priority=Priority(row["priority"]),
        vacated=bool(row["vacated"]),
        department=row["department"],
        renamed=bool(row["renamed"]),
        merged=None if row["merged"] is None else Number(row["merged"]),
    )
