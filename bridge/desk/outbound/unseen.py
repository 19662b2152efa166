"""Asks before sending when the agent may have missed a colleague's answer or a new mail."""

from __future__ import annotations

from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.model import LIVE_DELIVERIES, Conversation, Form, Letter, Mxid, PostKey, Shows
from bridge.ports import Tx

MINUTE = 60.0
JUST_NOW = 30.0
"""Seconds before sending in which the agent may not have seen an incoming mail."""


async def question_if_colleague_answered(tx: Tx, desk: Desk, context: CommandContext) -> str:
    """The question to ask when another agent answered within the last minute; empty for none."""
    newest = await tx.deliveries.newest(
        context.conversation.number, LIVE_DELIVERIES, but=Form.AUTOMATIC
    )
    if newest is None or newest.agent in (context.who, desk.bot):
        return ""
    if context.event.at - newest.created_at > MINUTE:
        return ""
    return f"{newest.agent} answered here less than a minute ago. Send this, too?"


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
