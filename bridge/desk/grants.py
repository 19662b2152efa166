"""Credentials of inboxes: passwords from their settings, and OAuth2 grants that are renewed."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import structlog

from bridge.chat import grant as texts
from bridge.config.credentials import ConfiguredCredentials
from bridge.config.oauth import OAuthClient
from bridge.config.server import Server, Smtp
from bridge.desk.directory import Directory
from bridge.model import Permanent, Transient
from bridge.model.admin_task import RenewGrant, TellOfGrant
from bridge.model.grant import Grant, GrantRefused, GrantState, Tokens, grant_name
from bridge.model.login import AccessToken, Login
from bridge.ports import Authorizer, Store, Tx

log = structlog.get_logger("grants")

MARGIN = 60.0
"""Seconds that a token has to last for one log-in."""
CLAIM = 45.0
"""Seconds for which one process alone renews a grant; more than its request may take."""
WEEK = 7 * 86400.0
"""Seconds after which a grant is renewed that nobody uses: unused ones end after 90 days."""
AGAIN = 3600.0
"""Seconds after which a renewal that was refused is tried again, in case somebody mended it."""
SOON = 60.0
"""Seconds after which a renewal is tried again where the server did not answer."""
LAST_MOMENT = 35.0
"""Seconds that a renewal under way may still take when the bridge stops."""
T = TypeVar("T")


class Grants:
    """Implements ports.Credentials: renews grants before they end, one process at a time."""

    def __init__(
        self, store: Store, directory: Directory, authorizer: Authorizer, now: Callable[[], float]
    ) -> None:
        """`now` returns epoch seconds."""
        self._store, self._directory, self._now = store, directory, now
        self.authorizer = authorizer
        self._configured = ConfiguredCredentials()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._renewing: set[asyncio.Future[Grant]] = set()

    async def close(self) -> None:
        """Wait for renewals under way: their new refresh tokens must not be lost."""
        if self._renewing:
            await asyncio.wait(self._renewing, timeout=LAST_MOMENT)

    async def of(self, server: Server) -> Login | None:
        sends = isinstance(server, Smtp)
        if not server.oauth or (isinstance(server, Smtp) and server.auth == "none"):
            return await self._configured.of(server)
        name, client = grant_name(server.oauth, server.user), self.client(server.oauth)
        async with self._store.reading() as tx:
            grant = await tx.grants.get(name)
        if grant is None and client.asks_a_person:
            raise Permanent(texts.nobody_logged_in(client, server.user))
        access = self._opened(grant)["access"]
        lasts = bool(access) and grant is not None and grant.access_ends - self._now() > MARGIN
        if grant is not None and grant.state is GrantState.ENDED and (sends or not lasts):
            raise Permanent(grant.problem)
        if not lasts:
            access = self._opened(await self.renew(name))["access"]
        return AccessToken(server.user, access)

    async def refused(self, server: Server) -> None:
        """A server may refuse a token before its end, as after a changed password: renewing it
        tells why."""
        if not server.oauth:
            return
        name, now = grant_name(server.oauth, server.user), self._now()
        async with self._store.transaction("grant") as tx:
            grant = await tx.grants.get(name)
            if grant is None or grant.state is not GrantState.GOOD or now - grant.got_at < MARGIN:
                return
            await tx.grants.expire(name, now)
            await self._order(tx, name, now)

    def client(self, name: str) -> OAuthClient:
        """A client of the configuration. Raises Permanent where there is none of that name."""
        client = self._directory.file.oauth.get(name)
        if client is None:
            raise Permanent(f"oauth {name} is not in config.yaml any more; put it back there")
        return client

    async def renew(self, name: str, *, anyway: bool = False) -> Grant:
        """The grant with a token that lasts; `anyway`: with a new one. Raises Transient, or
        Permanent where a person has to act; then the admins are told by a job."""
        began = self._now()
        async with self._locks[name]:
            await self.authorizer.endpoints(self.client(name.partition(":")[0]))
            while True:
                async with self._store.transaction("grant") as tx:
                    now, grant = self._now(), await tx.grants.get(name)
                    if grant is None:
                        grant = self._begun(name)
                        await tx.grants.put(grant)
                    lasts = grant.access_ends - now > MARGIN and self._opened(grant)["access"]
                    if grant.got_at > began or (lasts and not anyway):
                        return grant
                    if grant.claimed_until <= now:
                        await tx.grants.claim(name, now + CLAIM)
                        break
                await asyncio.sleep(0.5)  # another process renews it
            # a cancelled caller must not lose a refresh token that replaces the one before
            renewing = asyncio.ensure_future(self._renewed(grant))
            self._renewing.add(renewing)
            renewing.add_done_callback(self._renewing.discard)
            return await asyncio.shield(renewing)

    def _begun(self, name: str) -> Grant:
        """The grant of a client that logs in by itself, before its first token."""
        client = self.client(name.partition(":")[0])
        if client.asks_a_person:  # it was forgotten meanwhile
            raise Permanent(texts.nobody_logged_in(client, name.partition(":")[2]))
        return Grant(name, GrantState.GOOD, "", 0.0, 0.0)

    async def _renewed(self, before: Grant) -> Grant:
        try:
            client = self.client(before.provider)
            if not client.asks_a_person:
                tokens = await self.authorizer.own(client, before.user)
            elif refresh := self._opened(before)["refresh"]:
                tokens = await self.authorizer.renew(client, refresh)
            else:
                raise GrantRefused("invalid_grant", "there is no refresh token")
        except Permanent as error:
            raise Permanent(await self._ended(before, error)) from error
        except BaseException:
            await committed(lambda: self._postpone(before.name))
            raise
        return await committed(lambda: self._store_renewed(before, tokens))

    async def _postpone(self, name: str) -> None:
        async with self._store.transaction("grant") as tx:
            await tx.grants.claim(name, 0.0)
            if await tx.grants.get(name) is not None:
                await self._order(tx, name, self._now() + SOON)

    async def _store_renewed(self, before: Grant, tokens: Tokens) -> Grant:
        async with self._store.transaction("grant") as tx:
            current = await tx.grants.get(before.name)
            if current is None:
                raise Permanent(f"the access to {before.user} was given up meanwhile")
            if current.sealed != before.sealed:  # somebody logged in meanwhile
                await tx.grants.claim(before.name, 0.0)
                return current
            if current.state is GrantState.ENDED:
                await tx.jobs.add(TellOfGrant(before.name))
            return await self.keep(tx, before.name, tokens)

    async def keep(self, tx: Tx, name: str, tokens: Tokens) -> Grant:
        """Store new tokens and when they are renewed. A refresh token that the server did not
        replace stays."""
        before = await tx.grants.get(name)
        client = self.client(name.partition(":")[0])
        kept = before if before is not None and not tokens.refresh else None
        pair = {
            "access": tokens.access, "refresh": tokens.refresh or self._opened(kept)["refresh"]
        }  # fmt: skip
        grant = Grant(
            name, GrantState.GOOD, self._directory.vault.seal(json.dumps(pair)),
            tokens.access_ends, self._now(),
            tokens.refresh_ends or (kept.refresh_ends if kept else 0.0),
            tokens.scope or (before.scope if before else ""),
            tokens.account or (before.account if before else ""),
            client.client_id, client.tenant,
        )  # fmt: skip
        await tx.grants.put(grant)
        await self.order(tx, name)
        return grant

    async def order(self, tx: Tx, name: str) -> None:
        """Order the next renewal of a grant: when half of its token's life is over."""
        grant, now = await tx.grants.get(name), self._now()
        if grant is None:
            return
        used = any(not each.paused for each in self._directory.settings.using(name))
        at = grant.got_at + max(SOON, (grant.access_ends - grant.got_at) / 2)
        if grant.state is GrantState.ENDED:
            at = now + AGAIN
        elif not used:
            at = now + WEEK
        await self._order(tx, name, max(at, now + SOON))

    async def _order(self, tx: Tx, name: str, at: float) -> None:
        await tx.jobs.add(RenewGrant(name), run_after=at)  # one that died is revived
        await tx.jobs.reschedule(RenewGrant(name), at)

    async def _ended(self, before: Grant, error: Permanent) -> str:
        """Note that a grant cannot be renewed. Returns why, for a person."""
        client = self._directory.file.oauth.get(before.provider)
        problem = str(error)
        if client is not None and isinstance(error, GrantRefused):
            problem = texts.refusal(client, before.user, error)
        log.warning("grant not renewed", grant=before.name, error=str(error)[:300])

        async def note() -> None:
            async with self._store.transaction("grant") as tx:
                grant = await tx.grants.get(before.name)
                if grant is None or grant.sealed != before.sealed:
                    return  # forgotten, or somebody logged in meanwhile
                ended = replace(grant, state=GrantState.ENDED, problem=problem, claimed_until=0.0)
                await tx.grants.put(ended)
                await self.order(tx, before.name)
                if grant.state is not GrantState.ENDED:
                    await tx.jobs.add(TellOfGrant(before.name))

        await committed(note)
        return problem

    async def begin(self, tx: Tx, *, alone: bool) -> None:
        """At start: see that each grant is renewed in time, and try ended ones again, as the
        configuration may have been mended. `alone`: no other process may be renewing one."""
        for grant in await tx.grants.all():
            if alone:
                await tx.grants.claim(grant.name, 0.0)
            if grant.state is GrantState.ENDED:
                await self._order(tx, grant.name, self._now())
            else:
                await tx.jobs.add(RenewGrant(grant.name), run_after=self._now())

    def _opened(self, grant: Grant | None) -> dict[str, str]:
        """Both tokens; empty where there are none, or the encryption key was lost."""
        empty = {"access": "", "refresh": ""}
        if grant is None or not grant.sealed:
            return empty
        try:
            found: dict[str, str] = json.loads(self._directory.vault.open(grant.sealed))
            return empty | found
        except Permanent:
            return empty


async def committed(act: Callable[[], Awaitable[T]]) -> T:
    """Commit what must not be lost; for some seconds again where the database fails."""
    for pause in (0.2, 1.0, 5.0):
        try:
            return await act()
        except Transient:
            await asyncio.sleep(pause)
    return await act()
