"""Mail in, first step: kept for good, with a job that reads it, before anybody is told 250."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.config.inbox import Inbox
from bridge.model import Address
from bridge.model.task import ReceiveMail
from bridge.ports import Tx


def addressed(inboxes: Sequence[Inbox], recipients: Sequence[str]) -> list[Inbox]:
    """The inboxes of one account a mail is for: those it names, else the default one."""
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
    """Keep a mail that arrived and give it a receive job, in the caller's transaction.

    `note` is not empty where the bytes are only the head of a mail that was too large;
    `was_waiting` says that it arrived while nobody looked, so that it counts for no limit of the
    hour.
    """
    kept = await tx.mails.keep_raw(raw)
    for inbox in inboxes:
        intake = await tx.mails.accept(inbox.id, source_key, kept, note, now)
        if intake is not None:
            task = ReceiveMail(intake, was_waiting=was_waiting)
            await tx.jobs.add(task, f"inbox:{inbox.id}:receive")
