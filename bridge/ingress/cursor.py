"""Where the reading of a folder stands: its cursor, and which old mails are wanted."""

from __future__ import annotations

import time

from bridge.ingress.account import MailAccount


class FolderCursor:
    """The beginnings of reading one folder; the cursor itself moves with each mail."""

    def __init__(self, account: MailAccount, folder: str) -> None:
        self._account, self._folder = account, folder
        self._store = account.context.store

    async def began(self) -> float:
        """When this account was first watched, epoch seconds; stored at the first call."""
        name = f"began:{self._account.name}"
        async with self._store.reading() as tx:
            began = await tx.settings.value(name)
        if began is None:
            began = str(self._account.imap.starts_at or time.time())
            async with self._store.transaction("account-progress") as tx:
                await tx.settings.set_value(name, began)
        return float(began)

    async def rescanning(self, validity: int) -> tuple[float, int]:
        """(epoch seconds, UID): of mails below that UID, only newer ones are accepted."""
        async with self._store.reading() as tx:
            value = await tx.settings.value(f"since:{self._account.name}:{self._folder}:{validity}")
        date, _, uid = (value or "0 0").partition(" ")
        return float(date), int(uid)

    async def begin(self, validity: int, last: int, uid_next: int | None) -> None:
        """Set the cursor of the folder. At 0, old mail is scanned: store since which date and up to
        which UID; mails with later UIDs are new, regardless of their date."""
        since = f"{await self.began()} {uid_next or 2**32}" if last == 0 else None
        name = self._account.name
        async with self._store.transaction("account-progress") as tx:
            await tx.settings.set_cursor(name, self._folder, validity, last)
            await tx.held.forget(name, self._folder)
            if since is not None:
                await tx.settings.set_value(f"since:{name}:{self._folder}:{validity}", since)
