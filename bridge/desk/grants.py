"""Credentials of inboxes: passwords from their settings, and OAuth2 grants that are renewed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import structlog

from bridge.chat import grant as texts
from bridge.config.credentials import ConfiguredCredentials
from bridge.config.inbox import Server, Smtp
from bridge.config.oauth import OAuthClient
from bridge.desk.directory import Directory
from bridge.model import Permanent, Transient
from bridge.model.admin_task import RenewGrant, TellOfGrant
from bridge.model.grant import Grant, GrantRefused, GrantState, Tokens, grant_name
from bridge.model.login import AccessToken, Login
from bridge.ports import Authorizer, Store, Tx

log = structlog.get_logger("grants")

MARGIN = 60.0
"""Seconds that a token has to last for one log-in."""
CLAIM = 90.0
"""Seconds for which one process alone renews a grant; more than its request may take."""
WEEK = 7 * 86400.0
"""Seconds after which a grant is renewed that nobody uses: unused ones end after 90 days."""
AGAIN = 3600.0
"""Seconds after which a renewal that was refused is tried again, in case somebody mended it."""
SOON = 60.0
"""Seconds after which a renewal is tried again where the server did not answer."""


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

    async def of(self, server: Server) -> Login | None:
        sends = isinstance(server, Smtp)
        if not server.oauth or (isinstance(server, Smtp) and server.auth == "none"):
            return await self._configured.of(server)
        client = self.client(server.oauth)
        grant = await self._get(grant_name(server.oauth, server.user))
        if grant is None and client.asks_a_person:
            raise Permanent(texts.nobody_logged_in(client, server.user))
        if grant is not None and grant.state is GrantState.ASKED:
            raise Permanent(texts.not_agreed(grant.account, server.user))
        lasts = grant is not None and grant.access_ends - self._now() > MARGIN
        if grant is not None and grant.state is GrantState.ENDED and (sends or not lasts):
            raise Permanent(grant.problem)
        if grant is None or not lasts:
            grant = await self.renew(grant_name(server.oauth, server.user))
        return AccessToken(server.user, self._opened(grant)["access"])

    async def refused(self, server: Server) -> None:
        """A server may refuse a token before its end, as after a changed password: renewing it
        tells why."""
        name = grant_name(server.oauth, server.user)
        if server.oauth and (grant := await self._get(name)) is not None:
            if self._now() - grant.got_at < MARGIN:
                return
            async with self._store.transaction("grant") as tx:
                await tx.grants.put(replace(grant, access_ends=min(grant.access_ends, self._now())))
                await tx.jobs.reschedule(RenewGrant(name), self._now())

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
            while True:
                async with self._store.transaction("grant") as tx:
                    now, grant = self._now(), await tx.grants.get(name)
                    if grant is not None and (
                        grant.got_at > began if anyway else grant.access_ends - now > MARGIN
                    ):
                        return grant
                    if grant is None:  # of a client that logs in by itself
                        await tx.grants.put(Grant(name, GrantState.GOOD, "", 0.0, 0.0))
                    if grant is None or grant.claimed_until <= now:
                        await tx.grants.claim(name, now + CLAIM)
                        break
                await asyncio.sleep(0.5)  # another process renews it
            # a cancelled caller must not lose a refresh token that replaces the one before
            return await asyncio.shield(asyncio.ensure_future(self._renewed(name, grant)))

    async def _renewed(self, name: str, grant: Grant | None) -> Grant:
        provider, _, user = name.partition(":")
        try:
            client = self.client(provider)
            if client.asks_a_person:
                assert grant is not None
                refresh = self._opened(grant)["refresh"]
                if not refresh:
                    raise GrantRefused("invalid_grant", "the log-in gave no refresh token")
                tokens = await self.authorizer.renew(client, refresh)
            else:
                tokens = await self.authorizer.own(client, user)
        except Permanent as error:
            raise Permanent(await self._ended(name, error)) from error
        except BaseException:
            with contextlib.suppress(Transient):
                async with self._store.transaction("grant") as tx:
                    await tx.grants.claim(name, 0.0)
                    await tx.jobs.reschedule(RenewGrant(name), self._now() + SOON)
            raise
        async with self._store.transaction("grant") as tx:
            return await self.keep(tx, name, tokens)

    async def keep(self, tx: Tx, name: str, tokens: Tokens, *, asked: bool = False) -> Grant:
        """Store new tokens and when they are renewed. `asked`: an admin has to agree first."""
        now, before = self._now(), await tx.grants.get(name)
        client = self.client(name.partition(":")[0])
        old = self._opened(before) if before is not None else {"refresh": ""}
        grant = Grant(
            name,
            GrantState.ASKED if asked else GrantState.GOOD,
            self._directory.vault.seal(json.dumps({
                "access": tokens.access, "refresh": tokens.refresh or old["refresh"]
            })),
            tokens.access_ends,
            now,
            tokens.refresh_ends or (before.refresh_ends if before and not tokens.refresh else 0.0),
            tokens.scope or (before.scope if before else ""),
            tokens.account or (before.account if before else ""),
            client.client_id,
            client.tenant,
        )  # fmt: skip
        await tx.grants.put(grant)
        await self.order(tx, name)
        if before is not None and before.state is GrantState.ENDED:
            await tx.jobs.add(TellOfGrant(name))
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
        elif not used or grant.state is GrantState.ASKED:
            at = now + WEEK
        await self._order(tx, name, max(at, now + SOON))

    async def _order(self, tx: Tx, name: str, at: float) -> None:
        if not await tx.jobs.reschedule(RenewGrant(name), at):
            await tx.jobs.add(RenewGrant(name), run_after=at)

    async def _ended(self, name: str, error: Permanent) -> str:
        """Note that a grant cannot be renewed. Returns why, for a person."""
        provider, _, user = name.partition(":")
        client = self._directory.file.oauth.get(provider)
        refusal = error if isinstance(error, GrantRefused) else None
        problem = texts.refusal(client, user, refusal) if client and refusal else str(error)
        log.warning("grant not renewed", grant=name, error=str(error)[:300])
        async with self._store.transaction("grant") as tx:
            grant = await tx.grants.get(name)
            if grant is None:
                return problem
            was_good = grant.state is not GrantState.ENDED
            await tx.grants.put(
                replace(grant, state=GrantState.ENDED, problem=problem, claimed_until=0.0)
            )
            await self.order(tx, name)
            if was_good:
                await tx.jobs.add(TellOfGrant(name))
        return problem

    async def begin(self, tx: Tx) -> None:
        """At start: see that each grant is renewed in time, and try ended ones again, as the
        configuration may have been mended."""
        now = self._now()
        for grant in await tx.grants.all():
            if grant.state is GrantState.ENDED or grant.claimed_until:
                await tx.grants.claim(grant.name, 0.0)
                await self._order(tx, grant.name, now)
            elif not await tx.jobs.exists(RenewGrant(grant.name)):
                await tx.jobs.add(RenewGrant(grant.name), run_after=now)

    async def _get(self, name: str) -> Grant | None:
        async with self._store.reading() as tx:
            return await tx.grants.get(name)

    def _opened(self, grant: Grant) -> dict[str, str]:
        if not grant.sealed:
            return {"access": "", "refresh": ""}
        return dict(json.loads(self._directory.vault.open(grant.sealed)))
