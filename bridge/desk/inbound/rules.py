"""Rules: look at a mail that came in, and do what they say. One that fails stops nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bridge.chat import render
from bridge.chat.room import link, room_summary
from bridge.chat.when import when as moment
from bridge.config.inbox import Inbox
from bridge.config.rule import Rule
from bridge.desk.desk import Desk
from bridge.desk.inbound import autoreply
from bridge.desk.rooms.refresh import refresh, tell_control
from bridge.desk.rules import Incoming, Placed, holding
from bridge.desk.triage import state
from bridge.desk.triage.assign import give
from bridge.model import (
    FINISHED_CONVERSATIONS,
    Conversation,
    ConversationChanges,
    Mxid,
    Permanent,
    Place,
    PostKey,
    Priority,
    Refused,
    Shows,
    State,
    Wanted,
)
from bridge.model.task import CallHook
from bridge.ports import Tx

BODY = 20_000
"""Characters of a mail's text that a webhook gets."""


async def apply(
    tx: Tx,
    desk: Desk,
    inbox: Inbox,
    conversation: Conversation,
    incoming: Incoming,
    fits: Sequence[Placed],
) -> Conversation:
    """Do what the rules of an inbox that fit a mail say; spam is left alone."""
    if conversation.state is State.SPAM:
        return conversation
    for index, (where, rule) in enumerate(holding(fits, is_new=incoming.is_new)):
        try:
            await _do(tx, desk, inbox, conversation, incoming, rule, index)
        except Permanent as error:
            await tell_control(
                tx, desk, PostKey.other(Shows.RULE, inbox.id, rule.name, error),
                f"⚠️ {inbox.name}: the rule “{rule.name}” ({where}) could not do all it says:"
                f" {error} The mail is in #{conversation.number} all the same.",
            )  # fmt: skip
        conversation = await tx.conversations.get(conversation.number)
    return conversation


async def _do(
    tx: Tx,
    desk: Desk,
    inbox: Inbox,
    conversation: Conversation,
    incoming: Incoming,
    rule: Rule,
    index: int,
) -> None:
    """Everything one rule says. Raises Permanent with what could not be done, when the rest is.
    `index` tells this rule from others that hold for the mail."""
    then = rule.then
    tags = dict.fromkeys((*conversation.tags, *then.tag))
    changes: ConversationChanges = {"tags": tuple(tags)}
    if then.department:
        changes["department"] = then.department
    if then.priority:
        changes["priority"] = Priority[then.priority.upper()]
    conversation = await tx.conversations.update(conversation.number, **changes)
    problems = []
    if then.close and conversation.state not in FINISHED_CONVERSATIONS:
        conversation = await state.put(tx, desk, conversation, State.CLOSED)
    elif then.snooze and conversation.state not in FINISHED_CONVERSATIONS:
        until = moment(then.snooze, datetime.fromtimestamp(desk.now(), UTC).astimezone())
        if until is None:
            problems.append(f"{then.snooze!r} is no time like 2d or tomorrow 9:00.")
        else:
            conversation = await state.put(tx, desk, conversation, State.SNOOZED, until.timestamp())
    if then.notify:
        await _notify(tx, desk, inbox, conversation, incoming, rule, index)
    if then.assign:
        if await tx.rooms.is_agent(conversation.inbox, Mxid(then.assign)):
            await give(tx, desk, conversation, Mxid(then.assign), f"rule:{incoming.letter.id}")
        else:
            problems.append(f"{then.assign} is no agent of {inbox.name}.")
    if then.snippet:
        problems += await autoreply.answer(tx, desk, inbox, conversation, incoming.letter, rule)
    if then.webhook:
        problems += await _hook(tx, desk, conversation, incoming, rule, index)
    await refresh(tx, desk, await tx.conversations.get(conversation.number))
    if problems:
        raise Refused(" ".join(problems))


async def _notify(
    tx: Tx,
    desk: Desk,
    inbox: Inbox,
    conversation: Conversation,
    incoming: Incoming,
    rule: Rule,
    index: int,
) -> None:
    key = PostKey.of_mail(Shows.NOTIFY, incoming.letter.id, index)
    if rule.then.notify is True:
        url = f" {link(conversation.room, desk.server)}" if conversation.room else ""
        subject = conversation.subject or "(no subject)"
        text = f"🔔 {rule.name}: #{conversation.number} {subject}, from {incoming.mail.sender}{url}"
        content = render.text_message(text)
        await tx.posts.put(Wanted.message(key, Place.queue(inbox.id), desk.bot, content))
        return
    who = str(rule.then.notify)
    content = render.text_message(f"🔔 {who}: {rule.name}.")
    content["m.mentions"] = {"user_ids": [who]}
    await tx.posts.put(Wanted.message(key, Place.of(conversation.number), desk.bot, content))


async def _hook(
    tx: Tx, desk: Desk, conversation: Conversation, incoming: Incoming, rule: Rule, index: int
) -> list[str]:
    if not desk.settings.webhook_secret.get_secret_value():
        return ["a webhook needs webhook_secret in config.yaml, which signs what is sent."]
    mail = incoming.mail
    event = {
        "type": "mail.received",
        "timestamp": datetime.fromtimestamp(desk.now(), UTC).isoformat(),
        "data": {
            "rule": rule.name, "conversation": room_summary(conversation),
            "mail": {
                "message_id": mail.message_id, "from": str(mail.sender), "subject": mail.subject,
                "to": [str(each) for each in mail.to], "cc": [str(each) for each in mail.cc],
                "text": incoming.body.text[:BODY], "verdict": mail.verdict.value,
                "attachments": [{"name": each.name, "type": each.type, "size": each.size}
                                for each in mail.attachments],
            },
        },
    }  # fmt: skip
    await tx.jobs.add(
        CallHook(incoming.letter.id, index, url=rule.then.webhook, event=event, at=desk.now())
    )
    return []
