"""Asks before sending when the agent may have missed a colleague's answer or a new mail."""

from __future__ import annotations

from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.model import (
    AUTOMATIC_NEXT,
    DELIVERIES_THAT_LEFT,
    Conversation,
    DeliveryState,
    Form,
    Letter,
    Mxid,
    PostKey,
    Shows,
)
from bridge.ports import Tx

LEFT = (*DELIVERIES_THAT_LEFT, DeliveryState.UNKNOWN)
MINUTE = 60.0
JUST_NOW = 30.0
"""Seconds before sending in which the agent may not have seen an incoming mail."""


async def question_if_colleague_answered(tx: Tx, desk: Desk, context: CommandContext) -> str:
    """The question to ask when an email of another agent left within the last minute, or is about
    to; empty for none. A draft, and what waits for an answer, is no reason to ask."""
    newest = await tx.deliveries.newest(
        context.conversation.number, (*AUTOMATIC_NEXT, *LEFT), but=Form.AUTOMATIC
    )
    if newest is None or newest.agent in (context.who, desk.bot):
        return ""
    if newest.state in LEFT:
        left_at = newest.finished_at or newest.created_at
        if context.event.at - left_at > MINUTE:
            return ""
        if newest.state is DeliveryState.UNKNOWN:
            return f"An answer of {newest.agent} may just have left here. Send this, too?"
        return f"{newest.agent} answered here less than a minute ago. Send this, too?"
    if newest.planned_for:
        return f"{newest.agent} planned an answer here ({newest.detail}). Send this, too?"
    if newest.state is DeliveryState.DEFERRED and context.event.at - newest.created_at > MINUTE:
        return ""
    return f"An answer of {newest.agent} is about to leave here. Send this, too?"


async def question_if_unread(
    tx: Tx, who: Mxid, conversation: Conversation, letter: Letter, since: float
) -> str:
    """The question to ask when the agent may not have seen the newest mail: it came less than
    half a minute before `since` or after it, and the agent's read receipt is older than the
    mail. Empty if there is nothing to ask, or if the agent's receipts are private."""
    if conversation.room is None or letter.at < since - JUST_NOW:
        return ""
    seen = await tx.agents.seen(conversation.room, who)
    if seen is None:
        return ""
    event, at = seen
    shown = await tx.posts.by_key(PostKey.of_mail(Shows.MAIL, letter.id))
    read = await tx.posts.by_event(event)
    has_read = at > letter.at + 1.0 if read is None or shown is None else read.id >= shown.id
    if has_read:
        return ""
    return f"A mail from {letter.sender.spec} came meanwhile, and you may not have read it. Send?"
