"""`!inbox hook`: the address at which a provider or script posts an inbox's mail."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass

from bridge.chat import hook as texts
from bridge.config.inbox import Inbox
from bridge.config.server import Http
from bridge.desk.admin import inboxes, testing
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.model import InboxId, Permanent, Refused, Role, Transient
from bridge.model.oversight import InboxState
from bridge.ports import Tx

USER = "postroom"
BY_SECRET, OF_INBOX = "hook:", "hook-of:"
"""Prefixes of settings: a hook, encrypted, by the digest of its secret; the digest by inbox."""


@dataclass(frozen=True, slots=True)
class Hook:
    """An address at which mail is posted."""

    inbox: InboxId
    http: Http
    password: str


async def of_secret(desk: Desk, secret: str) -> Hook | None:
    """The hook with this secret in its path; None where there is none, or its inbox takes no
    posted mail any more."""
    async with desk.store.reading() as tx:
        sealed = await tx.settings.value(BY_SECRET + _digest(secret))
        if sealed is None:
            return None
        kept = json.loads(desk.directory.vault.open(sealed))
        inbox = await _inbox(tx, desk, InboxId(kept["inbox"]))
    if inbox is None or inbox.http is None:
        return None
    return Hook(inbox.id, inbox.http, kept["password"])


async def _inbox(tx: Tx, desk: Desk, name: InboxId) -> Inbox | None:
    """A live inbox, or one that is being set up."""
    if name in desk.settings.inboxes:
        return desk.settings.inboxes[name]
    stored = await tx.inboxes.get(name)
    if stored is None or stored.state is InboxState.REMOVED:
        return None
    if stored.state is InboxState.LIVE:  # it may be mended, or is not loaded yet in this process
        raise Transient(f"inbox {name} cannot be used now")
    try:
        return desk.directory.built(stored)
    except Permanent as error:
        raise Transient(f"draft {name} is not complete: {error}") from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:40]


async def hook(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!inbox hook INBOX [new]`: say the address, and make one where there is none. `new` makes
    another one, and the one before ends."""
    inbox = testing.built(desk, await inboxes.named(tx, desk, asked, 1))
    if inbox.http is None:
        raise Refused(
            f"Say who posts its mail first: !inbox set {inbox.id} http.kind mailgun, or"
            " mandrill, postmark, sendgrid, ses, relay."
        )
    if not desk.settings.public_url:
        raise Refused("Mail is posted to public_url, and config.yaml has none. Set it there.")
    digest = await tx.settings.value(OF_INBOX + inbox.id)
    sealed = await tx.settings.value(BY_SECRET + digest) if digest else None
    vault = desk.directory.vault
    if sealed is None or asked.words[1:2] == ["new"]:
        if digest:
            await tx.settings.drop_value(BY_SECRET + digest)
        kept = {"inbox": inbox.id, "secret": secrets.token_urlsafe(24),
                "password": secrets.token_urlsafe(24)}  # fmt: skip
        digest = _digest(kept["secret"])
        await tx.settings.set_value(BY_SECRET + digest, vault.seal(json.dumps(kept)))
        await tx.settings.set_value(OF_INBOX + inbox.id, digest)
        await tx.audit.add(desk.now(), asked.who, f"inbox {inbox.id}: made an address for posts")
    else:
        kept = json.loads(vault.open(sealed))
    has_key = bool(inbox.http.key.get_secret_value())
    return texts.address(
        inbox.id, inbox.http.kind, desk.settings.public_url, kept["secret"], kept["password"],
        has_key=has_key,
    )  # fmt: skip


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "inbox hook",
        Role.CONTROL,
        "INBOX [new]",
        "Show the address at which Mailgun, Postmark, SendGrid or another sends the inbox's mail;"
        " new makes another one and ends the one before.",
        hook,
    ),
)
