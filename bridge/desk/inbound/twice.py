"""Tells the admins of a mail that is brought to an inbox twice: by two rules that forward it, or in
a circle. It is shown once; but every further one costs room and time, and only they can end it."""

from __future__ import annotations

from bridge.desk.desk import Desk
from bridge.desk.inbound.arrival import Arrival
from bridge.desk.inbound.pushed import remark
from bridge.mail import trace


async def tell(desk: Desk, arrival: Arrival) -> None:
    """Tell of a mail that was known, if it came by another path than before; once a day, as a
    sender may name any path. One to two addresses of the inbox's domain comes twice by right."""
    named = (*arrival.mail.to, *arrival.mail.cc)
    if sum(each.domain == arrival.inbox.domain for each in named) > 1:
        return
    async with desk.store.reading() as tx:
        letters = await tx.mails.received(arrival.inbox.id, arrival.mail.message_id)
        before = [each.raw for each in letters if each.raw not in (None, arrival.raw_id)]
        raw = await tx.mails.raw(before[0]) if before and before[0] is not None else b""
    first, second = trace.path(raw), trace.path(arrival.raw)
    if not raw or first == second or not (first and second):
        return
    one, two = sorted((" → ".join(first), " → ".join(second)))
    await remark(
        desk,
        arrival.inbox.id,
        f"mail comes to it twice, by {one}, and by {two}. It is shown once. Two rules may forward"
        " the same address: remove one.",
        about="twice",
    )
