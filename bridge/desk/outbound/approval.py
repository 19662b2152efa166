"""Checks who must approve a mail before it is sent, by the setting of its inbox."""

from __future__ import annotations

from bridge.config.inbox import Inbox
from bridge.desk.team.agents import leads_of
from bridge.model import Delivery, Mxid, Refused
from bridge.ports import Tx


async def is_needed(tx: Tx, inbox: Inbox, delivery: Delivery) -> bool:
    """Whether a mail needs an approval. A lead needs none for a text of their own. A text of
    somebody else needs one even then: its author could edit it after the lead sent it."""
    if inbox.approval == "leads":
        own = delivery.author in (None, delivery.agent)
        return not own or delivery.agent not in await leads_of(tx, inbox)
    return inbox.approval == "four-eyes"


async def may_approve(tx: Tx, inbox: Inbox, delivery: Delivery, who: Mxid) -> bool:
    if inbox.approval == "leads":
        return who in await leads_of(tx, inbox)
    return who not in (delivery.agent, delivery.author)


async def require_may_approve(tx: Tx, inbox: Inbox, delivery: Delivery, who: Mxid) -> None:
    """Raises Refused where this person may not approve the mail."""
    if await may_approve(tx, inbox, delivery, who):
        return
    if inbox.approval == "leads":
        leads = ", ".join(sorted(await leads_of(tx, inbox))) or "nobody; an admin can name leads"
        raise Refused(f"A lead has to approve this: {leads}.")
    raise Refused("Somebody else has to approve this: you wrote or sent it.")
