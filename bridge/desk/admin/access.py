"""OAuth2 grants: renewed in time, their ends told, and what waited for them let go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime

from bridge.chat import grant as texts
from bridge.chat import render
from bridge.config import inbox_form
from bridge.config.oauth import OAuthClient
from bridge.desk.admin import open_login
from bridge.desk.desk import Desk
from bridge.desk.outbound import outage
from bridge.desk.rooms.refresh import tell_control
from bridge.model import BridgeError, Job, Permanent, PostKey, Shows
from bridge.model.admin_task import RenewGrant, TellOfGrant
from bridge.model.grant import GrantState
from bridge.model.oversight import InboxState
from bridge.ports import Tx

WARN_BEFORE = (1, 7, 30)
"""Days before the end of a client's secret."""


async def begin(desk: Desk, *, alone: bool) -> None:
    """At start: see that each grant is renewed in time. `alone`: see Grants.begin."""
    async with desk.store.transaction("settings") as tx:
        await desk.grants.begin(tx, alone=alone)


async def renew(desk: Desk, job: Job[RenewGrant]) -> None:
    """Renew a grant whose turn it is; it orders its next renewal itself."""
    name = job.task.grant
    async with desk.store.reading() as tx:
        grant = await tx.grants.get(name)
    if grant is not None:
        with contextlib.suppress(Permanent):  # a job of its own tells of it
            await desk.grants.renew(name, anyway=True)
    async with desk.store.transaction("grant") as tx:
        await tx.jobs.finish(job)
        await desk.grants.order(tx, name)


async def let_go(tx: Tx, desk: Desk, name: str) -> None:
    """After a log-in: what waited to be sent is tried now."""
    accounts = {desk.settings.sending_account(each) for each in desk.settings.using(name)
                if each.smtp is not None}  # fmt: skip
    for problem in await tx.sending.all():
        if problem.account in accounts:
            await outage.try_now(tx, desk, problem)


async def forget_unused(tx: Tx, desk: Desk) -> None:
    """Delete the grants that no inbox uses any more, nor one that is being set up."""
    used = {name for inbox in desk.settings.inboxes.values() for name in inbox.grants}
    for stored in await tx.inboxes.all():
        if stored.state is not InboxState.REMOVED:
            used |= inbox_form.grants(desk.directory.whole(stored).values)
    for grant in await tx.grants.all():
        if grant.name not in used:
            await tx.grants.forget(grant.name)
            await tx.jobs.drop(RenewGrant(grant.name))


async def tell(desk: Desk, job: Job[TellOfGrant]) -> None:
    """Tell the control room once that a grant ended, with a fresh link, or that it is good
    again."""
    name = job.task.grant
    inboxes = desk.settings.using(name)
    client, endpoints = desk.settings.oauth.get(name.partition(":")[0]), None
    if client is not None and client.asks_a_person:
        with contextlib.suppress(BridgeError):
            endpoints = await desk.grants.authorizer.endpoints(client)
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        grant = await tx.grants.get(name)
        if grant is None or not inboxes:
            return
        names = ", ".join(each.name for each in inboxes)
        if grant.state is not GrantState.ENDED:
            key = PostKey.other(Shows.ALARM_OVER, f"grant:{name}", int(grant.got_at))
            await tell_control(tx, desk, key, texts.good_again(names, grant.user))
            await let_go(tx, desk, name)
            return
        until = ""
        if grant.access_ends > desk.now():
            until = render.clock(grant.access_ends, desk.now())
        text = texts.ended(names, grant.problem, until)
        if endpoints is not None and client is not None:
            opened = open_login.new(desk, client, inboxes[0].id, grant.user, "")
            text += f"\n{await open_login.link(tx, desk, client, endpoints, opened)}"
        key = PostKey.other(Shows.ALARM, f"grant:{name}", int(grant.got_at))
        await tell_control(tx, desk, key, text)


async def watch(desk: Desk) -> None:
    """Warn of the ends of clients' secrets, 30, 7 and 1 days before; called periodically."""
    today = datetime.fromtimestamp(desk.now(), UTC).date()
    for client, days in _ending(desk, today):
        step = next((each for each in WARN_BEFORE if days <= each), None)
        if step is None:
            continue
        name, noted = f"secret-told:{client.id}", f"{client.secret_ends} {step}"
        async with desk.store.reading() as tx:
            if await tx.settings.value(name) == noted:
                continue
        async with desk.store.transaction("told") as tx:
            await tx.settings.set_value(name, noted)
            text = texts.secret_ends(client, days, f"{client.secret_ends:%d %b %Y}")
            await tell_control(tx, desk, PostKey.other(Shows.ALARM, name, noted), text)


def _ending(desk: Desk, today: date) -> Iterator[tuple[OAuthClient, int]]:
    """Clients whose secret has an end, and the days until then."""
    for client in desk.settings.oauth.values():
        if client.secret_ends is not None:
            yield client, (client.secret_ends - today).days
