"""One unit of work over all tables, and the database that gives it, as Protocols."""

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
    Numbers,
    Passages,
    Rules,
    Snippets,
)
from bridge.ports.keeping import Audit, Erasing, Inboxes, Jobs, Keep
from bridge.ports.matrix import Events, Posts, Rooms


class Tx(Protocol):
    """One unit of work; everything done through it commits together."""

    @property
    def jobs(self) -> Jobs: ...
    @property
    def mails(self) -> Mails: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def rooms(self) -> Rooms: ...
    @property
    def agents(self) -> Agents: ...
    @property
    def blocked(self) -> Blocked: ...
    @property
    def contacts(self) -> Contacts: ...
    @property
    def passages(self) -> Passages: ...
    @property
    def numbers(self) -> Numbers: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def snippets(self) -> Snippets: ...
    @property
    def posts(self) -> Posts: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def events(self) -> Events: ...
    @property
    def keep(self) -> Keep: ...
    @property
    def inboxes(self) -> Inboxes: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def erasing(self) -> Erasing: ...


class Store(Protocol):
    """The database. `name` of a transaction is a commit of failpoint.py."""

    def transaction(self, name: str) -> AbstractAsyncContextManager[Tx]: ...
    def reading(self) -> AbstractAsyncContextManager[Tx]: ...
    def free_space(self) -> int | None: ...
