"""Mail that is brought to us, by HTTP, SMTP or a script: stored before its sender is told so."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.desk.addresses import POSTMASTER
from bridge.desk.desk import Desk
from bridge.desk.inbound.accept import accept_kept
from bridge.desk.rooms.refresh import tell_control
from bridge.mail.limits import size
from bridge.model import Address, InboxId, PostKey, Shows, Transient, Verdict
from bridge.model.admin_task import ShowDraftMail
from bridge.model.oversight import InboxState
from bridge.ports import Tx


@dataclass(frozen=True, slots=True)
class Pushed:
    """A mail that somebody brings, with its envelope."""

    raw: bytes = field(repr=False)
    recipients: tuple[str, ...] = ()
    sender: str = ""
    key: str = ""
    """The bringer's id of it; empty: it is known by its bytes."""
    verdict: Verdict = Verdict.NONE
    """The sender check of whoever brings it, who is proven to be who they are."""


class KeyReused(Exception):
    """The bringer's id of a mail came before, with another mail."""


def owners(desk: Desk, recipients: Sequence[str]) -> list[InboxId]:
    """The inboxes that own one of these addresses, +tags included."""
    to = [Address(spec) for spec in recipients]
    return [
        inbox.id
        for inbox in desk.settings.inboxes.values()
        if any(each.is_of(inbox.own) for each in to)
    ]


async def take(desk: Desk, by: str, mails: Sequence[tuple[Sequence[InboxId], Pushed]]) -> None:
    """Store mails, each for some inboxes, in one transaction; `by` tells one bringer's ids from
    another's. Raises Transient where they cannot be stored now, KeyReused."""
    free, kept = desk.store.free_space(), desk.settings.limits.free_disk
    needed = sum(len(mail.raw) for _, mail in mails)
    if free is not None and free < kept + needed:
        raise Transient(f"the disk of the database has {size(free)} left")
    # a large mail is hashed in a thread, so that nobody waits meanwhile
    digests = await asyncio.to_thread(lambda: [_digest(mail.raw) for _, mail in mails])
    # a bringer that hangs up must not undo what is being committed: it would bring it again
    await asyncio.shield(asyncio.ensure_future(_store(desk, by, mails, digests)))


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


async def _store(
    desk: Desk,
    by: str,
    mails: Sequence[tuple[Sequence[InboxId], Pushed]],
    digests: Sequence[str],
) -> None:
    async with desk.store.transaction("accept") as tx:
        for (inboxes, mail), digest in zip(mails, digests, strict=True):
            key = f"{by}:{mail.key or digest}"
            note = {"to": mail.recipients, "from": mail.sender, "verdict": mail.verdict}
            text = json.dumps({name: value for name, value in note.items() if value})
            for inbox_id in inboxes:
                inbox = desk.settings.inboxes.get(inbox_id)
                if inbox is None:
                    await _draft(tx, inbox_id, mail)
                    continue
                before = await tx.mails.brought(inbox_id, key)
                if before not in (None, digest):
                    raise KeyReused(key)
                kept = await tx.mails.keep_raw(mail.raw, digest)
                await accept_kept(tx, [inbox], key, kept, text, desk.now())
                await tx.settings.record_push(inbox_id, desk.now())


async def _draft(tx: Tx, inbox: InboxId, mail: Pushed) -> None:
    """Order a mail for an inbox that is not live, or for the postmaster, to be shown in the control
    room."""
    stored = await tx.inboxes.get(inbox)
    is_draft = stored is not None and stored.state is InboxState.DRAFT
    if not is_draft and inbox != POSTMASTER:
        raise Transient(f"inbox {inbox} is not live")
    raw = await tx.mails.keep_raw(mail.raw)
    await tx.jobs.add(ShowDraftMail(raw, inbox=inbox))


async def remark(desk: Desk, inbox: InboxId, text: str) -> None:
    """Tell the admins, once, what they should change at the provider of an inbox."""
    name = f"remark:{inbox}"
    async with desk.store.reading() as tx:
        if await tx.settings.value(name) == text:
            return
    async with desk.store.transaction("told") as tx:
        await tx.settings.set_value(name, text)
        key = PostKey.other(Shows.HOOK, name, hashlib.sha256(text.encode()).hexdigest()[:16])
        known = desk.settings.inboxes.get(inbox)
        await tell_control(tx, desk, key, f"⚠️ {known.name if known else inbox}: {text}")
