"""Incoming mail, first step: store it with a job to read it, before the sender is told 250."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.config.inbox import Inbox
from bridge.model import Address
from bridge.model.task import ReceiveMail
from bridge.ports import Tx


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
    was_waiting: bool = False,
) -> None:
    """Store an arrived mail and add a receive job for each inbox, in the caller's transaction.

    `note`: JSON with `size` and `limit` where `raw` is only the head of a mail that was too large,
    with `junk`, its name, where the mail was in a junk folder, with `instead`, a Message-ID, where
    another mail told that it could not be fetched; empty otherwise. `was_waiting`: it arrived while
    the bridge did not fetch, so it does not count for the hourly limits.
    """
    kept = await tx.mails.keep_raw(raw)
    for inbox in inboxes:
        intake = await tx.mails.accept(inbox.id, source_key, kept, note, now)
        if intake is not None:
            task = ReceiveMail(intake, was_waiting=was_waiting)
            await tx.jobs.add(task, f"inbox:{inbox.id}:receive")
