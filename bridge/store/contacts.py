"""Contacts of each inbox: name, addresses and notes."""

from __future__ import annotations

from bridge.model import Address, Contact, InboxId, key_of
from bridge.store.connection import Connection


class Contacts:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def of(self, inbox: InboxId, spec: str) -> Contact | None:
        """The contact with this address; None while only the address is known."""
        row = await self._conn.fetchrow(
            "SELECT contact.id, name, notes FROM contact JOIN contact_address"
            " ON contact_address.contact = contact.id"
            " WHERE contact_address.inbox = $1 AND address = $2",
            inbox,
            key_of(spec),
        )
        if row is None:
            return None
        specs = await self._conn.fetch(
            "SELECT spec FROM contact_address WHERE contact = $1 ORDER BY spec", row["id"]
        )
        return Contact(row["id"], row["name"], row["notes"], tuple(each["spec"] for each in specs))

    async def begin(self, inbox: InboxId, who: Address) -> Contact:
        """The contact with this address; created where there is none."""
        found = await self.of(inbox, who.spec)
        if found is None:
            id_ = await self._conn.fetchval(
                "INSERT INTO contact (inbox, name, notes) VALUES ($1, $2, '') RETURNING id",
                inbox,
                who.name,
            )
            await self.add_address(inbox, int(id_), who.spec)
            found = Contact(int(id_), who.name, "", (who.spec,))
        return found

    async def add_address(self, inbox: InboxId, contact: int, spec: str) -> None:
        """Add an address to a contact; take it from the contact that had it before."""
        await self._conn.execute(
            "INSERT INTO contact_address (inbox, address, spec, contact) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (inbox, address) DO UPDATE SET contact = $4",
            inbox,
            key_of(spec),
            spec,
            contact,
        )

    async def remove_address(self, inbox: InboxId, spec: str) -> None:
        await self._conn.execute(
            "DELETE FROM contact_address WHERE inbox = $1 AND address = $2", inbox, key_of(spec)
        )

    async def update(self, contact: int, name: str, notes: str) -> None:
        await self._conn.execute(
            "UPDATE contact SET name = $2, notes = $3 WHERE id = $1", contact, name, notes
        )
