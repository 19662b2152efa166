"""Which inbox owns an address at which mail comes straight to us."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.model import Address, InboxId, Transient, key_of
from bridge.model.oversight import InboxState, StoredInbox
from bridge.ports import Tx

POSTMASTER = InboxId("")
"""Stands for postmaster@ of the platform's domain (RFC 5321 §4.5.1): the admins read that."""
MADE = "forward:"
"""Prefix of the settings with the inbox of each address that was made, by its local part."""


async def owner(desk: Desk, spec: str) -> InboxId | None:
    """The inbox of a recipient, or POSTMASTER; None where it is nobody's here. Raises Transient
    where that inbox is live and cannot be used now."""
    address = Address(plain(spec))
    local, _, domain = address.untagged.rpartition("@")
    platform = key_of(f"x@{desk.settings.ingress.domain}").partition("@")[2]
    if local == "postmaster" and domain in ("", platform):
        return POSTMASTER
    if domain == platform and platform:
        async with desk.store.reading() as tx:
            name = await tx.settings.value(MADE + local)
            if name is not None and await _takes(tx, desk, InboxId(name)):
                return InboxId(name)
    for inbox in desk.settings.inboxes.values():
        if inbox.imap is None and inbox.receives and address.is_of(inbox.own):
            return inbox.id
    async with desk.store.reading() as tx:
        stored = [
            each
            for each in await tx.inboxes.all()
            if not desk.directory.whole(each).values.get("imap")
        ]
    return next(iter(_set_up(stored, [address])), None)


async def made_for(tx: Tx, inbox: InboxId) -> list[str]:
    """The local parts of the addresses that were made for an inbox."""
    found = await tx.settings.values(MADE)
    return [name.removeprefix(MADE) for name, whose in found.items() if whose == inbox]


async def answered_at(tx: Tx, desk: Desk, inbox: Inbox) -> str:
    """The address whose +tags carry the conversation of an answer: one of ours where the inbox's
    mail is forwarded to it, else its own once a +tag was seen to arrive; empty for none."""
    if inbox.reply_tokens != "auto":
        return ""
    made = await made_for(tx, inbox.id)
    if made and inbox.imap is None and desk.settings.ingress.domain:
        return f"{made[-1]}@{desk.settings.ingress.domain}"
    return inbox.address if await tx.settings.value(f"tags:{inbox.address}") else ""


async def _takes(tx: Tx, desk: Desk, name: InboxId) -> bool:
    """Whether an inbox is live, or being set up."""
    if name in desk.settings.inboxes:
        return desk.settings.inboxes[name].receives
    stored = await tx.inboxes.get(name)
    return stored is not None and _is_set_up(stored)


def _is_set_up(stored: StoredInbox) -> bool:
    """Whether an inbox that is not in use is a draft. Raises Transient for a live one: it may be
    mended, or this process has not seen yet that it was published."""
    if stored.state is InboxState.LIVE:
        raise Transient(f"inbox {stored.id} cannot be used now")
    return stored.state is InboxState.DRAFT


def _set_up(stored: Iterable[StoredInbox], to: Sequence[Address]) -> list[InboxId]:
    """The drafts that own one of these addresses."""
    owners = (each for each in stored if any(one.is_of(own_of(each)) for one in to))
    return [each.id for each in owners if _is_set_up(each)]


async def owners(desk: Desk, recipients: Sequence[str]) -> list[InboxId]:
    """The inboxes that own one of these addresses, +tags included, and those that are being set
    up. Raises Transient where one that is live cannot be used now: it may be mended."""
    to = [Address(plain(spec)) for spec in recipients]
    found = [
        inbox.id
        for inbox in desk.settings.inboxes.values()
        if inbox.receives and any(each.is_of(inbox.own) for each in to)
    ]
    if found:
        return found
    async with desk.store.reading() as tx:
        return _set_up(await tx.inboxes.all(), to)


async def taken(desk: Desk) -> frozenset[str]:
    """The addresses of all inboxes that are not removed."""
    ours = {key for inbox in desk.settings.inboxes.values() for key in inbox.own}
    async with desk.store.reading() as tx:
        for stored in await tx.inboxes.all():
            if stored.state is not InboxState.REMOVED:
                ours |= own_of(stored)
    return frozenset(ours)


def own_of(stored: StoredInbox) -> frozenset[str]:
    """The addresses of a stored inbox, complete or not."""
    aliases = stored.values.get("aliases") or ()
    return frozenset(key_of(str(spec)) for spec in (stored.values.get("address", ""), *aliases))


def plain(spec: str) -> str:
    """A recipient without its route (`@a,@b:x@y`) and without quotes that it does not need."""
    spec = re.sub(r"^@[^:]*:", "", spec.strip())
    found = re.fullmatch(r'"([^"\\@\s]+)"(@.*)?', spec)
    return f"{found[1]}{found[2] or ''}" if found else spec
