"""Whose yes a mail needs before it leaves, by the rule of its inbox."""

from __future__ import annotations

from bridge.config.inbox import Inbox
from bridge.desk.team.agents import led_by
from bridge.model import Delivery, Mxid, Refused
from bridge.ports import Tx


async def is_needed(tx: Tx, inbox: Inbox, delivery: Delivery) -> bool:
    """Whether a mail waits for somebody. A lead needs no lead for words of their own; those of
    somebody else can be changed behind their back, and are looked at once more."""
    if inbox.approval == "leads":
        own = delivery.author in (None, delivery.agent)
        return not own or delivery.agent not in await led_by(tx, inbox)
    return inbox.approval == "four-eyes"


async def may_approve(tx: Tx, inbox: Inbox, delivery: Delivery, who: Mxid) -> bool:
    if inbox.approval == "leads":
        return who in await led_by(tx, inbox)
    return who not in (delivery.agent, delivery.author)


async def refuse_own(tx: Tx, inbox: Inbox, delivery: Delivery, who: Mxid) -> None:
    """Raises Refused for a yes that does not count."""
    if await may_approve(tx, inbox, delivery, who):
        return
    if inbox.approval == "leads":
        leads = ", ".join(sorted(await led_by(tx, inbox))) or "nobody; an admin can name leads"
        raise Refused(f"A lead has to approve this: {leads}.")
    raise Refused("Somebody else has to approve this: you wrote or sent it.")
