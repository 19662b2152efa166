"""`!inbox login`: log-ins at Google, Microsoft and others by a link, a pasted address or a code."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from bridge.chat import grant as texts
from bridge.config.inbox import Inbox
from bridge.config.oauth import OAuthClient
from bridge.desk.admin import access, inboxes, open_login, question, sealed, testing
from bridge.desk.admin.open_login import OpenLogin
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.grants import committed
from bridge.desk.rooms.refresh import answer, tell_control
from bridge.model import (
    CONTROL,
    Job,
    Mxid,
    Permanent,
    PostKey,
    Refused,
    Role,
    Shows,
    Transient,
    key_of,
)
from bridge.model.admin_task import BeginLogin, FinishLogin, WaitForCode
from bridge.model.grant import GrantRefused, GrantState, Tokens
from bridge.ports import Tx

ASKED = "asked-login:"
"""Prefix of the settings with log-ins of other accounts, encrypted, until an admin agreed."""
SHORT = 30 * 86400.0
"""Seconds; a grant that ends earlier is one that somebody should know of."""


async def login(tx: Tx, desk: Desk, asked: Request) -> str | None:
    """`!inbox login INBOX [code]`: the link comes with a job, as an issuer may have to be asked."""
    found = await inboxes.named(tx, desk, asked, 1)
    inbox = testing.built(desk, found)
    if not inbox.grants:
        raise Refused(_no_oauth(desk, inbox))
    lacking = [
        each for each in inbox.grants.items()
        if (grant := await tx.grants.get(each[0])) is None or grant.state is not GrantState.GOOD
    ]  # fmt: skip
    name, user = (lacking or list(inbox.grants.items()))[0][1]
    try:
        client = desk.grants.client(name)
    except Permanent as error:
        raise Refused(f"{error}.") from error
    if not client.asks_a_person:
        return texts.by_itself(client, user)
    by_code = client.flow == "device" or asked.words[1:2] in (["code"], ["device"])
    await tx.audit.add(desk.now(), asked.who, f"inbox {inbox.id}: began a log-in of {user}")
    await tx.jobs.add(
        BeginLogin(asked.event.id, inbox=inbox.id, client=name, user=user, by_code=by_code)
    )
    return None


def _no_oauth(desk: Desk, inbox: Inbox) -> str:
    if not desk.settings.oauth:
        return (
            f"{inbox.name} logs in with a password, and config.yaml has no oauth: docs/oauth.md"
            " shows how to make a client at Google, Microsoft or elsewhere."
        )
    return (
        f"{inbox.name} logs in with a password. !inbox set {inbox.id} imap.oauth NAME, and the same"
        f" for smtp.oauth, changes that; config.yaml has {', '.join(desk.settings.oauth)}."
    )


async def begin(desk: Desk, job: Job[BeginLogin]) -> None:
    """Answer with the link, or the code, of a new log-in."""
    task, client = job.task, desk.grants.client(job.task.client)
    async with desk.store.reading() as tx:
        event = await tx.events.get(task.event)
    who = event.sender if event is not None else ""
    opened = open_login.new(desk, client, task.inbox, task.user, who)
    try:
        if task.by_code:
            await _begin_by_code(desk, job, client, opened)
            return
        endpoints = await desk.grants.authorizer.endpoints(client)
    except Permanent as error:
        async with desk.store.transaction("told") as tx:
            await tx.jobs.finish(job)
            refused = error if isinstance(error, GrantRefused) else None
            text = texts.refusal(client, task.user, refused) if refused else str(error)
            await answer(tx, desk, CONTROL, task.event, f"❌ {text}")
        return
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        text = await open_login.link(tx, desk, client, endpoints, opened)
        await answer(tx, desk, CONTROL, task.event, text)


async def pasted(tx: Tx, desk: Desk, asked: Request) -> str:
    """An admin pasted the address on which the browser ended; the message is redacted."""
    word = next(word for word in asked.words if sealed.is_redirect(word))
    try:
        parts = urlsplit(word.strip("<>()[]\"'`"))
    except ValueError as error:
        raise Refused("That is no address of a page. Copy the whole address line.") from error
    given = parts.query or parts.fragment or parts.path
    query = {name: values[-1] for name, values in parse_qs(given).items()}
    opened = await open_login.came_back(tx, desk, query, asked.who)
    return f"🔒 Your message is being redacted. Asking for the access to {opened.user} …"


async def finish(desk: Desk, job: Job[FinishLogin]) -> None:
    """Get the tokens for what the browser brought back."""
    begun, brought = json.loads(desk.directory.vault.open(job.task.sealed))
    opened = OpenLogin(**begun)
    client = desk.grants.client(opened.client)
    try:
        if brought["error"]:
            number = re.search(r"AADSTS\d+", brought["error_description"])
            raise GrantRefused(
                brought["error"], brought["error_description"], number[0] if number else ""
            )
        if client.issuer and brought["iss"].rstrip("/") not in ("", client.issuer.rstrip("/")):
            # RFC 9207
            raise GrantRefused("invalid_issuer", f"the answer is of {brought['iss'][:100]}")
        tokens = await desk.grants.authorizer.exchange(
            client, brought["code"], opened.verifier, opened.redirect
        )
        text = await _checked(desk, client, opened, tokens)
    except GrantRefused as error:
        text = f"❌ {texts.refusal(client, opened.user, error)}"
    except Transient:
        raise
    except Permanent as error:
        text = f"❌ {error}"
    else:
        if text is None:
            await _keep(desk, job, client, opened, tokens)
            return
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        await tell_control(tx, desk, PostKey.other(Shows.LOGIN, "done", job.id), text)


async def _checked(
    desk: Desk, client: OAuthClient, opened: OpenLogin, tokens: Tokens
) -> str | None:
    """Why the tokens are of no use; None for no reason."""
    endpoints = await desk.grants.authorizer.endpoints(client)
    wanted = [scope for scope in endpoints.scopes if "://" in scope]
    given = tokens.scope.casefold().split()
    missing = [scope for scope in wanted if given and scope.casefold() not in given]
    if missing:
        return f"❌ {texts.lacking(client.label, ', '.join(missing))}"
    if _is_other(tokens, opened) and client.provider == "google":
        return f"❌ {texts.wrong_account(client.label, opened.user, tokens.account)}"
    return None


def _is_other(tokens: Tokens, opened: OpenLogin) -> bool:
    return bool(tokens.account) and key_of(tokens.account) != key_of(opened.user)


async def _keep(
    desk: Desk, job: Job[FinishLogin], client: OAuthClient, opened: OpenLogin, tokens: Tokens
) -> None:
    """Store the tokens, and tell the admins; asks once whether another account is the right one."""

    async def keep() -> None:
        async with desk.store.transaction("grant") as tx:
            await tx.jobs.finish(job)
            await _kept(tx, desk, job.id, client, opened, tokens)

    await committed(keep)  # a code gets tokens once


async def _kept(
    tx: Tx, desk: Desk, job: int, client: OAuthClient, opened: OpenLogin, tokens: Tokens
) -> None:
    before = await tx.grants.get(opened.grant)
    agreed = before is not None and key_of(before.account) == key_of(tokens.account)
    key = PostKey.other(Shows.LOGIN, "done", job)
    if _is_other(tokens, opened) and not agreed:
        sealed = desk.directory.vault.seal(json.dumps([asdict(opened), asdict(tokens)]))
        await tx.settings.set_value(ASKED + opened.grant, sealed)
        for admin in [opened.who] if opened.who else desk.settings.admins:
            await question.ask(tx, Mxid(admin), question.LOGIN, opened.grant, desk.now())
        asks = texts.other_account(client.label, opened.user, tokens.account)
        await tell_control(tx, desk, key, asks)
        return
    await desk.grants.keep(tx, opened.grant, tokens)
    text = texts.logged_in(client.label, opened.user, tokens.account, opened.inbox)
    if 0 < tokens.refresh_ends < desk.now() + SHORT:
        ends = datetime.fromtimestamp(tokens.refresh_ends, UTC)
        text += texts.ends(client, f"{ends:%d %b %Y}")
    await access.let_go(tx, desk, opened.grant)
    await tell_control(tx, desk, key, text)


async def _asked(tx: Tx, desk: Desk, name: str) -> Tokens:
    """The log-in of another account that was asked about; it is taken away."""
    sealed = await tx.settings.value(ASKED + name)
    if sealed is None:
        raise Refused("That log-in is decided already.")
    await tx.settings.drop_value(ASKED + name)
    return Tokens(**json.loads(desk.directory.vault.open(sealed))[1])


async def agreed(tx: Tx, desk: Desk, asked: Request, name: str) -> str:
    """`!yes`: another account may be used for the mailbox."""
    tokens = await _asked(tx, desk, name)
    grant = await desk.grants.keep(tx, name, tokens)
    await access.let_go(tx, desk, name)
    await tx.audit.add(desk.now(), asked.who, f"{grant.account} logs in for {grant.user}")
    return f"{grant.account} is used for {grant.user}. !inbox test tries the servers with it."


async def disagreed(tx: Tx, desk: Desk, asked: Request, name: str) -> str:
    """`!no`: forget the log-in of another account."""
    tokens = await _asked(tx, desk, name)
    return f"The log-in of {tokens.account} is forgotten. !inbox login begins another one."


async def _begin_by_code(
    desk: Desk, job: Job[BeginLogin], client: OAuthClient, opened: OpenLogin
) -> None:
    device = await desk.grants.authorizer.begin_device(client)
    until = desk.now() + device.lasts
    sealed = desk.directory.vault.seal(
        json.dumps([{**asdict(opened), "until": until}, device.device_code])
    )
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        waiting = WaitForCode(job.task.event, sealed=sealed, interval=device.interval)
        await tx.jobs.add(waiting, run_after=desk.now() + device.interval)
        text = texts.device(client.label, device.page, device.user_code, int(device.lasts / 60))
        await answer(tx, desk, CONTROL, job.task.event, text)


async def wait_for_code(desk: Desk, job: Job[WaitForCode]) -> None:
    """Ask whether the person has logged in, and again until then (RFC 8628 §3.5)."""
    task = job.task
    begun, device_code = json.loads(desk.directory.vault.open(task.sealed))
    opened = OpenLogin(**begun)
    client = desk.grants.client(opened.client)
    try:
        if opened.until < desk.now():
            raise GrantRefused("expired_token")
        tokens = await desk.grants.authorizer.ask_device(client, device_code)
        text = await _checked(desk, client, opened, tokens)
    except Transient as error:
        interval = task.interval + (error.retry_after or 0.0)  # slow_down is for good
        async with desk.store.transaction("told") as tx:
            await tx.jobs.finish(job)
            again = replace(task, interval=interval)
            await tx.jobs.add(again, run_after=desk.now() + interval)
        return
    except GrantRefused as error:
        text = f"❌ {texts.refusal(client, opened.user, error)}"
    else:
        if text is None:
            async with desk.store.transaction("grant") as tx:
                await tx.jobs.finish(job)
                await _kept(tx, desk, job.id, client, opened, tokens)
            return
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        await tell_control(tx, desk, PostKey.other(Shows.LOGIN, "done", job.id), text)


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "inbox login",
        Role.CONTROL,
        "INBOX [code]",
        "Log an inbox in at Google, Microsoft or another provider with OAuth2, by a link; or with"
        " a code on another device, where the provider lets it.",
        login,
    ),
)
