"""Whose yes a mail needs before it leaves, by the rule of its inbox."""

from __future__ import annotations

from bridge.desk.agents import led_by
from bridge.inbox import Inbox
from bridge.model import Delivery, Mxid, Refused
from bridge.ports import Tx


async def is_needed(tx: Tx, inbox: Inbox, agent: Mxid) -> bool:
    """Whether what this agent sends waits for somebody; a lead needs no lead."""
    if inbox.approval == "leads":
        return agent not in await led_by(tx, inbox)
    return inbox.approval == "four-eyes"


async def may_approve(tx: Tx, inbox: Inbox, delivery: Delivery, who: Mxid) -> bool:
    if inbox.approval == "leads":
        return who in await led_by(tx, inbox)
    return who != delivery.agent


async def refuse_own(tx: Tx, inbox: Inbox, delivery: Delivery, who: Mxid) -> None:
    """Raises Refused for a yes that does not count."""
    if await may_approve(tx, inbox, delivery, who):
        return
    if inbox.approval == "leads":
        leads = ", ".join(sorted(await led_by(tx, inbox))) or "nobody; an admin can name leads"
        raise Refused(f"A lead has to approve this: {leads}.")
    raise Refused("Somebody else has to approve this: you sent it.")
