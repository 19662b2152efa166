"""OAuth2 log-ins that were begun and wait for a browser to come back: their link and state."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bridge.chat import grant as texts
from bridge.config.oauth import Endpoints, OAuthClient, authorize_url
from bridge.desk.desk import Desk
from bridge.model import Permanent, Refused
from bridge.model.admin_task import FinishLogin
from bridge.model.grant import grant_name
from bridge.ports import Tx

LASTS = 900.0
"""Seconds for which a link works."""
STATES = "login:"
"""Prefix of the settings that hold open log-ins, by the digest of their state."""
GONE = (
    "That log-in is not open any more: a link works once, for 15 minutes. Say !inbox login again."
)


@dataclass(frozen=True, slots=True)
class OpenLogin:
    """A log-in that was begun: what has to fit when the browser comes back."""

    inbox: str
    client: str
    user: str
    who: str
    """The admin who began it; empty where the bridge did."""
    redirect: str
    verifier: str
    until: float

    @property
    def grant(self) -> str:
        return grant_name(self.client, self.user)


def new(desk: Desk, client: OAuthClient, inbox: str, user: str, who: str) -> OpenLogin:
    return OpenLogin(
        inbox, client.id, user, who, client.comes_back_to(desk.settings.public_url),
        secrets.token_urlsafe(48), desk.now() + LASTS,
    )  # fmt: skip


async def link(
    tx: Tx, desk: Desk, client: OAuthClient, endpoints: Endpoints, opened: OpenLogin
) -> str:
    """Store an open log-in; returns the message with its link."""
    vault, state = desk.directory.vault, secrets.token_urlsafe(24)
    for name, sealed in (await tx.settings.values(STATES)).items():
        if _open(desk, sealed) is None:
            await tx.settings.drop_value(name)
    await tx.settings.set_value(STATES + _digest(state), vault.seal(json.dumps(asdict(opened))))
    url = authorize_url(client, endpoints, state, opened.verifier, opened.redirect, opened.user)
    pastes = not client.redirect and not desk.settings.public_url
    return texts.link(client.label, opened.user, url, pastes=pastes, redirect=opened.redirect)


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()[:40]


def _open(desk: Desk, sealed: str) -> OpenLogin | None:
    """An open log-in that is still in time; None for any other."""
    try:
        opened = OpenLogin(**json.loads(desk.directory.vault.open(sealed)))
    except (Permanent, TypeError, ValueError):
        return None
    return opened if opened.until > desk.now() else None


async def came_back(tx: Tx, desk: Desk, query: Mapping[str, str], who: str = "") -> OpenLogin:
    """Take what a browser brought back, once. `who`: the admin who pasted it; empty where the
    browser came to our page. Raises Refused for a state that is not open, or not theirs."""
    digest = _digest(query.get("state", ""))
    sealed = await tx.settings.value(STATES + digest)
    opened = _open(desk, sealed) if sealed is not None else None
    if opened is None:
        raise Refused(GONE)
    if who and opened.who not in ("", who):
        raise Refused("Another admin began that log-in. Say !inbox login for one of your own.")
    await tx.settings.drop_value(STATES + digest)
    brought = {name: query.get(name, "")[:5000]
               for name in ("code", "error", "error_description", "iss")}  # fmt: skip
    sealed = desk.directory.vault.seal(json.dumps([asdict(opened), brought]))
    await tx.jobs.add(FinishLogin(digest, sealed=sealed))
    return opened
