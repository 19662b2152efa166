"""Deliveries (outgoing mails), and the status of each recipient."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from bridge.model import (
    DELIVERIES_THAT_LEFT,
    LIVE_DELIVERIES,
    UNFINISHED_DELIVERIES,
    Address,
    Delivery,
    DeliveryChanges,
    DeliveryState,
    EventId,
    Form,
    InboxId,
    MailId,
    MessageId,
    Mxid,
    Number,
    Permanent,
    Recipient,
    RecipientStatus,
    key_of,
)
from bridge.store.connection import Connection
from bridge.store.words import listed


class Deliveries:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def create(self, delivery: Delivery, question: str) -> Delivery | None:
        """Add a delivery (the database gives its `id`).

        None when the source has a live delivery already, or `order` created one before.
        """
        row = await self._conn.fetchrow(
            "INSERT INTO delivery (inbox, number, source, ordered_by, agent, state, answers,"
            " files, subject, question, run_at, created_at, form, text, letters,"
            " author, detail, planned_for)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
            " $18)"
            " ON CONFLICT DO NOTHING RETURNING *",
            delivery.inbox,
            delivery.conversation,
            delivery.source,
            delivery.requested_by,
            delivery.agent,
            delivery.state,
            delivery.answers,
            json.dumps(list(delivery.files)),
            delivery.subject,
            question,
            delivery.run_at,
            delivery.created_at,
            delivery.form,
            delivery.text,
            json.dumps(list(delivery.letters)),
            delivery.author or "",
            delivery.detail,
            delivery.planned_for,
        )
        if row is None:
            return None
        await self.set_recipients(row["id"], delivery.recipients)
        return await self.get(row["id"])

    async def get(self, delivery: int) -> Delivery:
        found = await self.find(delivery)
        if found is None:
            raise Permanent(f"there is no delivery {delivery}")
        return found

    async def find(self, delivery: int) -> Delivery | None:
        row = await self._conn.fetchrow("SELECT * FROM delivery WHERE id = $1", delivery)
        return None if row is None else await self._whole(row)

    async def by_message_id(self, inbox: InboxId, message_id: MessageId) -> Delivery | None:
        """The delivery of an inbox whose mail has this Message-ID, from us or from a relay."""
        row = await self._conn.fetchrow(
            "SELECT * FROM delivery WHERE (message_id = $1 OR relay_id = $1) AND inbox = $2",
            message_id,
            inbox,
        )
        return None if row is None else await self._whole(row)

    async def set_relay_id(self, delivery: int, message_id: MessageId) -> None:
        """Store the Message-ID that a relay gave in place of ours; the first one counts."""
        await self._conn.execute(
            "UPDATE delivery SET relay_id = $2 WHERE id = $1 AND relay_id = ''",
            delivery,
            message_id,
        )

    async def newest_to(self, inbox: InboxId, spec: str, since: float) -> Delivery | None:
        """The newest delivery sent to an address, unless it is older than `since`."""
        row = await self._conn.fetchrow(
            "SELECT delivery.* FROM delivery JOIN recipient ON recipient.delivery = delivery.id"
            " WHERE inbox = $1 AND recipient.key = $2"
            f" AND state IN ({listed(DELIVERIES_THAT_LEFT)})"
            " AND finished_at >= $3 ORDER BY delivery.id DESC LIMIT 1",
            inbox,
            key_of(spec),
            since,
        )
        return None if row is None else await self._whole(row)

    async def has_reached(
        self, inbox: InboxId, to: Address, forms: Sequence[Form], *, but: int
    ) -> bool:
        """Whether a delivery of one of `forms`, besides the one `but`, was sent to an address."""
        found = await self._conn.fetchval(
            "SELECT 1 FROM delivery JOIN recipient ON recipient.delivery = delivery.id"
            " WHERE inbox = $1 AND recipient.key = $2 AND delivery.id <> $3"
            f" AND form IN ({listed(forms)}) AND state IN ({listed(DELIVERIES_THAT_LEFT)}) LIMIT 1",
            inbox,
            to.key,
            but,
        )
        return found is not None

    async def live(self, source: EventId) -> Delivery | None:
        """The live delivery of a source message: not failed, cancelled or bounced."""
        row = await self._conn.fetchrow(
            f"SELECT * FROM delivery WHERE source = $1 AND state IN ({listed(LIVE_DELIVERIES)})",
            source,
        )
        return None if row is None else await self._whole(row)

    async def by_request(self, order: EventId) -> Delivery | None:
        row = await self._conn.fetchrow("SELECT * FROM delivery WHERE ordered_by = $1", order)
        return None if row is None else await self._whole(row)

    async def of_source(self, source: EventId) -> Delivery | None:
        """The newest delivery of a source message, in any state."""
        row = await self._conn.fetchrow(
            "SELECT * FROM delivery WHERE source = $1 ORDER BY id DESC LIMIT 1", source
        )
        return None if row is None else await self._whole(row)

    async def newest(
        self, number: Number, states: Sequence[DeliveryState], *, but: Form | None = None
    ) -> Delivery | None:
        """The newest delivery of a conversation in one of `states`, except those of form `but`."""
        marks = ", ".join(f"${n}" for n in range(3, len(states) + 3))
        row = await self._conn.fetchrow(
            f"SELECT * FROM delivery WHERE number = $1 AND form <> $2 AND state IN ({marks})"
            " ORDER BY id DESC LIMIT 1",
            number,
            but or "",
            *states,
        )
        return None if row is None else await self._whole(row)

    async def automatic(
        self, inbox: InboxId, since: float, *, number: Number | None = None, spec: str = ""
    ) -> int:
        """The number of automatic answers of an inbox since a time; with `number`, of those in that
        conversation or to the address `spec`, from any inbox."""
        if number is None:
            where, args = "inbox = $2", list[Any]([inbox])
        else:
            where = (
                "(number = $2 OR EXISTS (SELECT 1 FROM recipient"
                " WHERE recipient.delivery = delivery.id AND recipient.key = $3))"
            )
            args = [number, key_of(spec)]
        query = "SELECT COUNT(*) FROM delivery WHERE form = 'automatic' AND created_at >= $1 AND "
        return int(await self._conn.fetchval(query + where, since, *args))

    async def under_way(self, inbox: InboxId) -> list[Delivery]:
        """The deliveries of an inbox that are not sent yet, or not to all recipients."""
        rows = await self._conn.fetch(
            "SELECT * FROM delivery WHERE inbox = $1"
            f" AND state IN ({listed(UNFINISHED_DELIVERIES)})"
            " ORDER BY id",
            inbox,
        )
        return [await self._whole(row) for row in rows]

    async def update(self, delivery: int, **changes: Unpack[DeliveryChanges]) -> Delivery:
        columns: dict[str, Any] = dict(changes)
        if "letters" in changes:
            columns["letters"] = json.dumps(changes["letters"])
        assignments = ", ".join(f"{name} = ${i}" for i, name in enumerate(columns, 2))
        row = await self._conn.fetchrow(
            f"UPDATE delivery SET {assignments} WHERE id = $1 RETURNING *",
            delivery,
            *columns.values(),
        )
        return await self._whole(row)

    async def set_recipients(self, delivery: int, recipients: Sequence[Recipient]) -> None:
        """Replace the recipients of a delivery that was not attempted yet."""
        await self._conn.execute("DELETE FROM recipient WHERE delivery = $1", delivery)
        for position, recipient in enumerate(recipients):
            await self._conn.execute(
                "INSERT INTO recipient (delivery, position, spec, name, field, fate, reply, key)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                delivery,
                position,
                recipient.address.spec,
                recipient.address.name,
                recipient.field,
                recipient.status,
                recipient.reply,
                recipient.address.key,
            )

    async def set_statuses(
        self, delivery: int, statuses: Mapping[str, tuple[RecipientStatus, str]]
    ) -> None:
        """Store each recipient's status and the server's reply, by address."""
        for spec, (status, reply) in statuses.items():
            await self._conn.execute(
                "UPDATE recipient SET fate = $1, reply = $2 WHERE delivery = $3 AND spec = $4",
                status,
                reply[:1000],
                delivery,
                spec,
            )

    async def mime(self, delivery: int) -> bytes | None:
        """The bytes that every attempt sends; None before they are built."""
        value = await self._conn.fetchval("SELECT mime FROM delivery WHERE id = $1", delivery)
        return None if value is None else bytes(value)

    async def set_mime(self, delivery: int, mime: bytes, message_id: MessageId, text: str) -> None:
        """Store the bytes that every attempt sends, and the agent's text in them."""
        await self._conn.execute(
            "UPDATE delivery SET mime = $1, message_id = $2, text = $3 WHERE id = $4",
            mime,
            message_id,
            text,
            delivery,
        )

    async def add_revision(self, delivery: int) -> Delivery:
        """Note that the text changed: delete the built bytes and the approval, and count up
        `wording`, so that a running attempt notices."""
        row = await self._conn.fetchrow(
            "UPDATE delivery SET wording = wording + 1, mime = NULL, approved_by = NULL"
            " WHERE id = $1 RETURNING *",
            delivery,
        )
        return await self._whole(row)

    async def question(self, delivery: int) -> str:
        value = await self._conn.fetchval("SELECT question FROM delivery WHERE id = $1", delivery)
        return str(value or "")

    async def _whole(self, row: Any) -> Delivery:
        recipients = await self._conn.fetch(
            "SELECT * FROM recipient WHERE delivery = $1 ORDER BY position", row["id"]
        )
        return Delivery(
            id=row["id"],
            inbox=InboxId(row["inbox"]),
            conversation=Number(row["number"]),
            source=EventId(row["source"]),
            requested_by=EventId(row["ordered_by"]),
            agent=Mxid(row["agent"]),
            state=DeliveryState(row["state"]),
            answers=None if row["answers"] is None else MailId(row["answers"]),
            files=tuple(EventId(file) for file in json.loads(row["files"])),
            subject=row["subject"],
            message_id=None if row["message_id"] is None else MessageId(row["message_id"]),
            run_at=row["run_at"],
            attempts=row["attempts"],
            data_begun=bool(row["data_begun"]),
            detail=row["detail"],
            created_at=row["created_at"],
            finished_at=row["finished_at"],
            recipients=tuple(
                Recipient(
                    Address(each["spec"], each["name"]),
                    each["field"],
                    RecipientStatus(each["fate"]),
                    each["reply"],
                )
                for each in recipients
            ),
            form=Form(row["form"]),
            text=row["text"],
            letters=tuple(MailId(each) for each in json.loads(row["letters"])),
            shown=row["shown"],
            approved_by=None if row["approved_by"] is None else Mxid(row["approved_by"]),
            author=Mxid(row["author"]) if row["author"] else None,
            wording=row["wording"],
            shown_at=row["shown_at"],
            planned_for=row["planned_for"],
        )
