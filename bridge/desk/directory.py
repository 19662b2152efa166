"""The current inboxes: those from config.yaml, and those set up by chat."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from bridge.config import inbox_form, shared
from bridge.config.inbox import Inbox
from bridge.config.settings import ConfigError, Settings
from bridge.config.vault import Vault
from bridge.model import InboxId, Permanent, RoomId, ascii_domain
from bridge.model.oversight import InboxState, StoredDomain, StoredInbox
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
        self.domains: dict[str, StoredDomain] = {}
        """Domains whose inboxes share settings, by name."""
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
            self.domains = {each.name: each for each in await tx.domains.all()}
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

    def built(self, stored: StoredInbox, domain: StoredDomain | None = None) -> Inbox:
        """Build an Inbox from stored values, as it is with `domain` in place of its own. Raises
        Permanent with what is missing or wrong."""
        stored = self.whole(stored, domain)
        return inbox_form.build(stored.id, stored.values, self.opened(stored.secrets))

    def whole(self, stored: StoredInbox, domain: StoredDomain | None = None) -> StoredInbox:
        """A stored inbox with what its domain says where it says nothing itself."""
        domain = domain or self.shared(stored)
        if domain is None:
            return stored
        values, secrets = shared.merged(
            stored.values, stored.secrets, domain.values, domain.secrets
        )
        at = max(stored.changed_at, domain.changed_at)
        return replace(stored, values=values, secrets=secrets, changed_at=at)

    def shared(self, stored: StoredInbox) -> StoredDomain | None:
        """The domain of a stored inbox, if it holds settings."""
        return self.domains.get(domain_of(stored))

    def opened(self, secrets: Mapping[str, str], *, all_: bool = True) -> dict[str, str]:
        """The decrypted passwords. Raises Permanent for one that no key decrypts; with `all_=False`
        that one is left out, so that it can be set again."""
        found = {}
        for key, token in secrets.items():
            try:
                found[key] = self.vault.open(token)
            except Permanent:
                if all_:
                    raise
        return found


def domain_of(stored: StoredInbox) -> str:
    """The domain of a stored inbox's address, in ASCII."""
    return ascii_domain(str(stored.values.get("address", "")).rpartition("@")[2])


def silent(stored: StoredInbox) -> Inbox:
    """A stored inbox with its name and addresses only, so that it neither receives nor sends."""
    named = {key: stored.values[key] for key in ("name", "address", "aliases")
             if key in stored.values}  # fmt: skip
    return inbox_form.build(stored.id, named, {})


async def touch(tx: Tx) -> None:
    """Note, in the transaction that changed an inbox, that every process must reload inboxes."""
    await tx.settings.set_value(VERSION, str(int(await tx.settings.value(VERSION) or 0) + 1))
