"""Protocols for the database and for its transactions, which give access to all tables."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bridge.ports.desk import (
    Agents,
    Blocked,
    Contacts,
    Conversations,
    Deliveries,
    Mails,
    Passages,
    Pins,
    RecentStarts,
    ReportCounts,
    Rules,
    Snippets,
)
from bridge.ports.keeping import (
    Audit,
    Domains,
    Erasing,
    HeldMails,
    Inboxes,
    Jobs,
    SendingProblems,
    StoredGrants,
    StoredSettings,
)
from bridge.ports.matrix import Events, Posts, Rooms


class Tx(Protocol):
    """One transaction; everything done through it commits together."""

    @property
    def jobs(self) -> Jobs: ...
    @property
    def mails(self) -> Mails: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def begun(self) -> RecentStarts: ...
    @property
    def pins(self) -> Pins: ...
    @property
    def rooms(self) -> Rooms: ...
    @property
    def agents(self) -> Agents: ...
    @property
    def blocked(self) -> Blocked: ...
    @property
    def held(self) -> HeldMails: ...
    @property
    def contacts(self) -> Contacts: ...
    @property
    def passages(self) -> Passages: ...
    @property
    def numbers(self) -> ReportCounts: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def snippets(self) -> Snippets: ...
    @property
    def posts(self) -> Posts: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def sending(self) -> SendingProblems: ...
    @property
    def events(self) -> Events: ...
    @property
    def settings(self) -> StoredSettings: ...
    @property
    def grants(self) -> StoredGrants: ...
    @property
    def inboxes(self) -> Inboxes: ...
    @property
    def domains(self) -> Domains: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def erasing(self) -> Erasing: ...


class Store(Protocol):
    """The database. The `name` of a transaction names its commit for failpoint.py."""

    def transaction(self, name: str) -> AbstractAsyncContextManager[Tx]: ...
    def reading(self) -> AbstractAsyncContextManager[Tx]: ...
    def free_space(self) -> int | None: ...
    async def truncate_log(self) -> bool: ...
