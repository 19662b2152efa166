"""The actions of rules: one function for each key of a rule's `then`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.chat import render
from bridge.chat.room import link, room_summary
from bridge.chat.when import when as moment
from bridge.config.inbox import Inbox
from bridge.config.rule import Rule
from bridge.desk.desk import Desk
from bridge.desk.inbound import autoreply
from bridge.desk.rules import Incoming
from bridge.desk.triage import state
from bridge.desk.triage.assign import set_assignee
from bridge.model import (
    FINISHED_CONVERSATIONS,
    Content,
    Conversation,
    Mxid,
    Place,
    PostKey,
    Priority,
    Shows,
    State,
    Wanted,
)
from bridge.model.task import CallHook
from bridge.ports import Tx

BODY = 20_000
"""Characters of a mail's text that are sent to a webhook."""


@dataclass(frozen=True, slots=True)
class RuleRun:
    """One rule that applies to a mail, with the current state of the conversation."""

    inbox: Inbox
    rule: Rule
    index: int
    """Position of the rule among those that apply to the mail; part of dedup keys."""
    incoming: Incoming
    conversation: Conversation


Action = Callable[[Tx, Desk, RuleRun], Awaitable[str | None]]
"""Carries out one key of `then`. Returns what could not be done, None when all was."""


async def _tag(tx: Tx, desk: Desk, doing: RuleRun) -> None:
    tags = dict.fromkeys((*doing.conversation.tags, *doing.rule.then.tag))
    await tx.conversations.update(doing.conversation.number, tags=tuple(tags))


async def _department(tx: Tx, desk: Desk, doing: RuleRun) -> None:
    number = doing.conversation.number
    await tx.conversations.update(number, department=doing.rule.then.department)


async def _priority(tx: Tx, desk: Desk, doing: RuleRun) -> None:
    priority = Priority[str(doing.rule.then.priority).upper()]
    await tx.conversations.update(doing.conversation.number, priority=priority)


async def _close(tx: Tx, desk: Desk, doing: RuleRun) -> None:
    if doing.conversation.state not in FINISHED_CONVERSATIONS:
        await state.set_state(tx, desk, doing.conversation, State.CLOSED)


async def _snooze(tx: Tx, desk: Desk, doing: RuleRun) -> str | None:
    if doing.conversation.state in FINISHED_CONVERSATIONS:
        return None
    said = doing.rule.then.snooze
    until = moment(said, datetime.fromtimestamp(desk.now(), UTC).astimezone())
    if until is None:
        return f"{said!r} is no time like 2d or tomorrow 9:00."
    await state.set_state(tx, desk, doing.conversation, State.SNOOZED, until.timestamp())
    return None


async def _notify(tx: Tx, desk: Desk, doing: RuleRun) -> None:
    rule, conversation = doing.rule, doing.conversation
    key = PostKey.of_mail(Shows.NOTIFY, doing.incoming.letter.id, doing.index)
    if rule.then.notify is True:
        url = f" {link(conversation.room, desk.server_name)}" if conversation.room else ""
        what = f"#{conversation.number} {conversation.subject or '(no subject)'}"
        text = f"🔔 {rule.name}: {what}, from {doing.incoming.mail.sender}{url}"
        place, content = Place.queue(doing.inbox.id), render.text_message(text)
    else:
        who = str(rule.then.notify)
        place, content = (
            Place.of(conversation.number),
            render.text_message(f"🔔 {who}: {rule.name}."),
        )
        content["m.mentions"] = {"user_ids": [who]}
    await tx.posts.put(Wanted.message(key, place, desk.bot, content))


async def _assign(tx: Tx, desk: Desk, doing: RuleRun) -> str | None:
    who = Mxid(str(doing.rule.then.assign))
    if not await tx.rooms.is_agent(doing.conversation.inbox, who):
        return f"{who} is not an agent of {doing.inbox.name}."
    await set_assignee(tx, desk, doing.conversation, who, f"rule:{doing.incoming.letter.id}")
    return None


async def _answer(tx: Tx, desk: Desk, doing: RuleRun) -> str | None:
    letter = doing.incoming.letter
    if doing.incoming.mail.wants_no_answer:
        return None
    problems = await autoreply.answer(tx, desk, doing.inbox, doing.conversation, letter, doing.rule)
    return " ".join(problems) or None


async def _call_hook(tx: Tx, desk: Desk, doing: RuleRun) -> str | None:
    if not desk.settings.webhook_secret.get_secret_value():
        return "a webhook needs webhook_secret in config.yaml, which signs what is sent."
    letter, url = doing.incoming.letter, doing.rule.then.webhook
    event = _told(doing, desk.now())
    await tx.jobs.add(CallHook(letter.id, doing.index, url=url, event=event, at=desk.now()))
    return None


def _told(doing: RuleRun, now: float) -> Content:
    """The JSON event about a mail that is sent to a webhook."""
    rule, conversation, incoming = doing.rule, doing.conversation, doing.incoming
    mail = incoming.mail
    return {
        "type": "mail.received",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(),
        "data": {
            "rule": rule.name, "conversation": room_summary(conversation),
            "mail": {
                "message_id": mail.message_id, "from": str(mail.sender), "subject": mail.subject,
                "to": [str(each) for each in mail.to], "cc": [str(each) for each in mail.cc],
                "text": incoming.body.text[:BODY], "verdict": mail.sender_verdict.value,
                "attachments": [{"name": each.name, "type": each.type, "size": each.size}
                                for each in mail.attachments],
            },
        },
    }  # fmt: skip


ACTIONS: Mapping[str, Action] = {
    "tag": _tag,
    "department": _department,
    "priority": _priority,
    "close": _close,
    "snooze": _snooze,
    "notify": _notify,
    "assign": _assign,
    "snippet": _answer,
    "webhook": _call_hook,
}
"""The action for each key of `then`, in the order in which they run."""
