"""OAuth2 grants: what an authorization server lets us do in the name of a mailbox, and its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bridge.model.errors import Permanent


@dataclass(frozen=True, slots=True)
class Tokens:
    """An answer of a token endpoint (RFC 6749 §5.1). Times are epoch seconds; 0 for not told."""

    access: str = field(repr=False)
    access_ends: float
    refresh: str = field(default="", repr=False)
    """Empty where the server gave none, so that the one before stays valid."""
    refresh_ends: float = 0.0
    scope: str = ""
    account: str = ""
    """Address of the account that logged in, as the id_token says; empty for not told."""


class GrantState(StrEnum):
    """State of a grant."""

    GOOD = "good"
    ENDED = "ended"
    """The server refuses to renew it, and says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A stored grant. Times are epoch seconds; 0 for not known."""

    name: str
    """`PROVIDER:USER`; see `grant_name`."""
    state: GrantState
    sealed: str = field(repr=False)
    """Both tokens, encrypted."""
    access_ends: float
    got_at: float
    """When the access token was got."""
    refresh_ends: float = 0.0
    scope: str = ""
    account: str = ""
    client_id: str = ""
    tenant: str = ""
    claimed_until: float = 0.0
    """Until then one process alone may renew it."""
    problem: str = ""
    """Why it ended, for a person; empty for a good one."""

    @property
    def provider(self) -> str:
        """The name of its section in `oauth`."""
        return self.name.partition(":")[0]

    @property
    def user(self) -> str:
        """The mailbox that is logged in to."""
        return self.name.partition(":")[2]


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """A log-in by a code that a person types on another device (RFC 8628 §3.2)."""

    device_code: str = field(repr=False)
    user_code: str
    page: str
    """URL of the page where the code is typed."""
    interval: float
    """Seconds between questions."""
    lasts: float
    """Seconds until the code ends."""


class GrantRefused(Permanent):
    """An authorization server refuses a grant (RFC 6749 §5.2). `error` decides what is done;
    `said` is its description, `number` Microsoft's code such as AADSTS50173, empty for none."""

    def __init__(self, error: str, said: str = "", number: str = "") -> None:
        super().__init__(f"{error}: {said}" if said else error)
        self.error, self.said, self.number = error, said, number


def grant_name(provider: str, user: str) -> str:
    """The name of the grant for a mailbox at a provider."""
    return f"{provider}:{user.casefold()}"
