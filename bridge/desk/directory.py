"""The inboxes of the moment: those of config.yaml, and those set up by chat."""

from __future__ import annotations

import asyncio

import structlog

from bridge.config import inbox_form
from bridge.config.inbox import Inbox
from bridge.config.settings import ConfigError, Settings
from bridge.config.vault import Vault
from bridge.model import InboxId, Permanent, RoomId
from bridge.model.oversight import InboxState, StoredInbox
from bridge.ports import Store, Tx

log = structlog.get_logger("directory")

VERSION = "inboxes-version"


class Directory:
    """Holds the settings that everything reads, and renews them when an inbox changed."""

    def __init__(self, file: Settings, vault: Vault) -> None:
        self.file, self.settings, self.vault = file, file, vault
        self.removed: dict[InboxId, Inbox] = {}
        """Inboxes that are not live, or no longer; their conversations stay readable."""
        self.problems: dict[InboxId, str] = {}
        """Why a live inbox of the chat cannot be used."""
        self.changed = asyncio.Event()
        """Set when the settings were renewed."""
        self.control: RoomId | None = None
        """The control room, once it is known."""
        self._version: str | None = None

    async def load(self, store: Store) -> None:
        """Read the inboxes of the chat again, if they changed since."""
        async with store.reading() as tx:
            version = await tx.settings.value(VERSION) or ""
            if version == self._version:
                return
            stored = await tx.inboxes.all()
        self._renew(stored)
        self._version = version
        self.changed.set()

    def _renew(self, stored: list[StoredInbox]) -> None:
        settings, removed, problems = self.file, {}, {}
        for each in stored:
            try:
                if each.state is InboxState.LIVE:
                    settings = settings.with_inbox(self.built(each))
                elif each.values.get("address") and each.id not in self.file.inboxes:
                    removed[each.id] = silent(each)
            except (ConfigError, Permanent) as error:
                log.warning("inbox cannot be used", inbox=each.id, problem=str(error))
                problems[each.id] = str(error)
        self.settings, self.removed, self.problems = settings, removed, problems

    def built(self, stored: StoredInbox) -> Inbox:
        """The inbox of a stored one. Raises Permanent with what is missing or wrong."""
        return inbox_form.build(stored.id, stored.values, self.opened(stored))

    def opened(self, stored: StoredInbox, *, all_: bool = True) -> dict[str, str]:
        """The passwords. Raises Permanent for one that no key opens; without `all_` it is left
        out, so that it can be set anew."""
        found = {}
        for key, token in stored.secrets.items():
            try:
                found[key] = self.vault.open(token)
            except Permanent:
                if all_:
                    raise
        return found


def silent(stored: StoredInbox) -> Inbox:
    """A stored inbox as what it is called, without way in or out."""
    named = {key: stored.values[key] for key in ("name", "address", "aliases")
             if key in stored.values}  # fmt: skip
    return inbox_form.build(stored.id, named, {})


async def touch(tx: Tx) -> None:
    """Note, in the transaction that changed an inbox, that every process must renew."""
    await tx.settings.set_value(VERSION, str(int(await tx.settings.value(VERSION) or 0) + 1))
