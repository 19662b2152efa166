"""The current inboxes: those from config.yaml, and those set up by chat."""

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
    """Holds the settings that the whole process reads; reloads them after an inbox changed."""

    def __init__(self, file: Settings, vault: Vault) -> None:
        self.file, self.settings, self.vault = file, file, vault
        self.removed: dict[InboxId, Inbox] = {}
        """Inboxes that are not live (being set up, or removed); their conversations stay
        readable."""
        self.problems: dict[InboxId, str] = {}
        """Why a live inbox set up by chat cannot be used, by inbox."""
        self.changed = asyncio.Event()
        """Set when the settings were reloaded."""
        self.control: RoomId | None = None
        """The control room, once it is known."""
        self._version: str | None = None

    async def load(self, store: Store) -> None:
        """Read the inboxes set up by chat again, if they changed since the last load."""
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
        """Build an Inbox from stored values. Raises Permanent with what is missing or wrong."""
        return inbox_form.build(stored.id, stored.values, self.opened(stored))

    def opened(self, stored: StoredInbox, *, all_: bool = True) -> dict[str, str]:
        """The decrypted passwords of a stored inbox. Raises Permanent for one that no key decrypts;
        with `all_=False` that one is left out, so that it can be set again."""
        found = {}
        for key, token in stored.secrets.items():
            try:
                found[key] = self.vault.open(token)
            except Permanent:
                if all_:
                    raise
        return found


def silent(stored: StoredInbox) -> Inbox:
    """A stored inbox with its name and addresses only, so that it neither receives nor sends."""
    named = {key: stored.values[key] for key in ("name", "address", "aliases")
             if key in stored.values}  # fmt: skip
    return inbox_form.build(stored.id, named, {})


async def touch(tx: Tx) -> None:
    """Note, in the transaction that changed an inbox, that every process must reload inboxes."""
    await tx.settings.set_value(VERSION, str(int(await tx.settings.value(VERSION) or 0) + 1))
