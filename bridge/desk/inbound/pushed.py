"""Mail that is brought to us, by HTTP, SMTP or a script: stored before its sender is told so."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bridge.config.inbox import Inbox
from bridge.desk.addresses import POSTMASTER
from bridge.desk.desk import Desk
from bridge.desk.directory import silent
from bridge.desk.inbound.accept import accept_kept
from bridge.desk.inbound.draft_mail import is_question, may_show
from bridge.desk.rooms.refresh import tell_control
from bridge.mail.limits import size
from bridge.model import InboxId, PostKey, Shows, Transient, Verdict
from bridge.model.admin_task import ShowDraftMail
from bridge.model.oversight import InboxState
from bridge.ports import Tx

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Pushed:
    """A mail that somebody brings, with its envelope."""

    raw: bytes = field(repr=False)
    recipients: tuple[str, ...] = ()
    sender: str = ""
    key: str = ""
    """The bringer's id of it, which may come with these bytes only; empty: it is known by them."""
    verdict: Verdict = Verdict.NONE
    """The sender check of whoever brings it, who is proven to be who they are."""
    is_question: bool = False
    """Whether a provider asks if a forward is wanted; worked out here."""
    is_no_mail: bool = False
    """Whether that is certain, so that it makes no conversation."""
    is_stamped: bool = True
    """Whether a mail server of ours was on its way, so that the Authentication-Results under its
    name are its own, and not the sender's."""


class KeyReused(Exception):
    """The bringer's id of a mail came before, with another mail."""


async def take(desk: Desk, by: str, mails: Sequence[tuple[Sequence[InboxId], Pushed]]) -> None:
    """Store mails, each for some inboxes, in one transaction; `by` tells one bringer's ids from
    another's. Raises Transient where they cannot be stored now, KeyReused."""
    free, kept = desk.store.free_space(), desk.settings.limits.free_disk
    needed = sum(len(mail.raw) for _, mail in mails)
    if free is not None and free < kept + needed:
        raise Transient(f"the disk of the database has {size(free)} left")
    # a large mail is hashed in a thread, so that nobody waits meanwhile
    digests = await asyncio.to_thread(lambda: [_digest(mail.raw) for _, mail in mails])
    mails = [(inboxes, await _asked(desk, mail)) for inboxes, mail in mails]
    # a bringer that hangs up must not undo what is being committed: it would bring it again
    await asyncio.shield(asyncio.ensure_future(_store(desk, by, mails, digests)))


async def _asked(desk: Desk, mail: Pushed) -> Pushed:
    asks, is_certain = await is_question(desk, mail.raw, mail.verdict)
    return replace(mail, is_question=asks, is_no_mail=is_certain)


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
            note = {
                "to": mail.recipients, "from": mail.sender, "verdict": mail.verdict,
                "unstamped": not mail.is_stamped,
            }  # fmt: skip
            text = json.dumps({name: value for name, value in note.items() if value})
            for inbox_id in inboxes:
                inbox = desk.settings.inboxes.get(inbox_id)
                if inbox is None or mail.is_question:
                    inbox = await _show(tx, desk, inbox_id, mail, digest)
                if inbox is None:
                    continue
                before = await tx.mails.brought(inbox.id, key)
                if before not in (None, digest):
                    raise KeyReused(key)
                kept = await tx.mails.keep_raw(mail.raw, digest)
                await accept_kept(tx, [inbox], key, kept, text, desk.now())
                await tx.settings.record_push(inbox.id, desk.now())


async def _show(tx: Tx, desk: Desk, inbox: InboxId, mail: Pushed, digest: str) -> Inbox | None:
    """Order a mail for an inbox that is not live, for the postmaster, or from a provider that asks
    whether to forward, to be shown in the control room. Returns the inbox whose conversation it
    becomes once that is live; None for none."""
    stored = await tx.inboxes.get(inbox)
    is_draft = stored is not None and stored.state is InboxState.DRAFT
    if not is_draft and inbox != POSTMASTER and inbox not in desk.settings.inboxes:
        raise Transient(f"inbox {inbox} is not live")
    raw = await tx.mails.keep_raw(mail.raw, digest)
    becomes = None if mail.is_no_mail else desk.settings.inboxes.get(inbox)
    if stored is not None and is_draft and not mail.is_no_mail:
        becomes = silent(stored)
    if await may_show(tx, inbox, desk.now()):
        await tx.jobs.add(ShowDraftMail(raw, inbox, mail.is_question))
    elif becomes is None:
        raise Transient("as much mail was shown in the control room as may be in an hour")
    return becomes


async def remark(desk: Desk, inbox: InboxId | None, text: str, about: str = "") -> None:
    """Tell the admins what they should change at the provider of an inbox, or for all inboxes
    (None); the same, or something else `about` the same, once a day."""
    about = about or text
    name, now = f"remark:{inbox or ''}", desk.now()
    async with desk.store.reading() as tx:
        before = json.loads(await tx.settings.value(name) or "{}")
    if now - before.get(about, 0.0) < DAY:
        return
    recent = {said: at for said, at in before.items() if now - at < DAY}
    async with desk.store.transaction("told") as tx:
        await tx.settings.set_value(name, json.dumps({**recent, about: now}))
        known = desk.settings.inboxes.get(inbox) if inbox else None
        who = known.name if known else inbox or "Mail for all inboxes"
        key = PostKey.other(Shows.HOOK, name, int(now), _digest(text.encode())[:16])
        await tell_control(tx, desk, key, f"⚠️ {who}: {text}")
