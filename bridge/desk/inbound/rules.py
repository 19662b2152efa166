"""Applies the rules of an inbox to an incoming mail. A rule that fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.config.inbox import Inbox
from bridge.desk.desk import Desk
from bridge.desk.inbound.actions import ACTIONS, RuleRun
from bridge.desk.rooms.refresh import refresh, tell_control
from bridge.desk.rules import Incoming, Placed, applicable
from bridge.model import (
    Conversation,
    Permanent,
    PostKey,
    Refused,
    Shows,
    State,
)
from bridge.ports import Tx


async def apply(
    tx: Tx,
    desk: Desk,
    inbox: Inbox,
    conversation: Conversation,
    incoming: Incoming,
    fits: Sequence[Placed],
) -> Conversation:
    """Apply the rules in `fits` to a mail; in a spam conversation, none. Returns the conversation
    as it is afterwards."""
    if conversation.state is State.SPAM:
        return conversation
    for index, (where, rule) in enumerate(applicable(fits, is_new=incoming.is_new)):
        try:
            await _do(tx, desk, RuleRun(inbox, rule, index, incoming, conversation))
        except Permanent as error:
            await tell_control(
                tx, desk, PostKey.other(Shows.RULE, inbox.id, rule.name, error),
                f"⚠️ {inbox.name}: the rule “{rule.name}” ({where}) could not do all it says:"
                f" {error} The mail is in #{conversation.number} all the same.",
            )  # fmt: skip
        conversation = await tx.conversations.get(conversation.number)
    return conversation


async def _do(tx: Tx, desk: Desk, doing: RuleRun) -> None:
    """Run all actions of one rule. Raises Refused with those that failed, after the others ran."""
    problems = []
    for key, action in ACTIONS.items():
        if getattr(doing.rule.then, key):
            now = await tx.conversations.get(doing.conversation.number)
            problems.append(await action(tx, desk, replace(doing, conversation=now)))
    await refresh(tx, desk, await tx.conversations.get(doing.conversation.number))
    if said := [each for each in problems if each]:
        raise Refused(" ".join(said))
