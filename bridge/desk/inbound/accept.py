"""Incoming mail, first step: store it with a job to read it, before the sender is told 250."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bridge.config.inbox import Inbox
from bridge.model import Address
from bridge.model.task import ReceiveMail
from bridge.ports import Tx

Age = Literal["new", "waited", "old"]


def addressed(inboxes: Sequence[Inbox], recipients: Sequence[str]) -> list[Inbox]:
    """The inboxes of one account that a mail is for: those its recipients name, otherwise the
    default one."""
    to = [Address(spec) for spec in recipients]
    named = [inbox for inbox in inboxes if any(each.is_of(inbox.own) for each in to)]
    if named or len(inboxes) == 1:
        return named or list(inboxes)
    return [inbox for inbox in inboxes if inbox.default] or list(inboxes[:1])


async def accept(
    tx: Tx,
    inboxes: Sequence[Inbox],
    source_key: str,
    raw: bytes,
    note: str,
    now: float,
    *,
    age: Age = "new",
) -> None:
    """Store an arrived mail and add a receive job for each inbox, in the caller's transaction.

    `note`: JSON with `size` and `limit` where `raw` is only the head of a mail that was too large,
    with `junk` or `sent`, its name, where the mail was in a junk or a Sent folder, with `instead`,
    a Message-ID, where another mail told that it could not be fetched; empty otherwise. `age`:
    `waited` where it came while the bridge did not fetch, so that it does not count for the hourly
    limits; `old` where it was there before the mailbox was watched, so that new mail goes first.
    """
    if not inboxes:  # it was sent by nobody of ours
        return
    kept = await tx.mails.keep_raw(raw)
    await accept_kept(tx, inboxes, source_key, kept, note, now, age=age)


async def accept_kept(
    tx: Tx,
    inboxes: Sequence[Inbox],
    source_key: str,
    kept: int,
    note: str,
    now: float,
    *,
    age: Age = "new",
) -> None:
    """The same for a mail whose bytes are stored already, under the id `kept`."""
    for inbox in inboxes:
        intake = await tx.mails.accept(inbox.id, source_key, kept, note, now)
        if intake is not None:
            task = ReceiveMail(intake, was_waiting=age != "new")
            await tx.jobs.add(task, f"inbox:{inbox.id}:{'old' if age == 'old' else 'receive'}")
