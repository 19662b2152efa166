"""Rules: look at a mail that came in, and do what they say. One that fails stops nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.chat import render
from bridge.chat.room import link, standing
from bridge.chat.when import when as moment
from bridge.desk import answering, state
from bridge.desk.assign import give
from bridge.desk.desk import Desk
from bridge.desk.refresh import refresh, tell_control
from bridge.inbox import Inbox
from bridge.mail import matching
from bridge.mail.header import values_of
from bridge.mail.quote import Body
from bridge.model import (
    FINISHED,
    Conversation,
    ConversationChanges,
    Letter,
    Mail,
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
from bridge.rule import Rule, read

BODY = 20_000
"""Characters of a mail's text that a webhook gets."""


@dataclass(frozen=True, slots=True)
class Came:
    """A mail that came in, as it was kept."""

    mail: Mail
    body: Body
    raw: bytes
    letter: Letter
    is_new: bool
    size: int
    """Bytes of the whole mail, which may have stayed in the mailbox."""
    files: tuple[str, ...]
    """Names of its files, wherever they are."""

    @classmethod
    def whole(cls, mail: Mail, body: Body, raw: bytes, letter: Letter, is_new: bool) -> Came:
        """One of which nothing stayed in the mailbox."""
        names = tuple(each.name for each in mail.attachments)
        return cls(mail, body, raw, letter, is_new, len(raw), names)

    @property
    def facts(self) -> matching.Facts:
        return matching.Facts(
            self.mail, self.body.text, self.size, self.files, self.is_new,
            lambda name: values_of(self.raw, name),
        )  # fmt: skip


async def of_inbox(tx: Tx, inbox: Inbox) -> list[tuple[str, Rule]]:
    """(where it is written, rule): those of config.yaml, then those of the chat. One of the chat
    that cannot be read any more is left out; `!rule list` shows it."""
    found = [("config.yaml", rule) for rule in inbox.rules]
    for number, text in await tx.rules.all(inbox.id):
        try:
            found += [(f"rule {number}", rule) for rule in read(text)]
        except Refused:
            continue
    return found


def holding(rules: Sequence[tuple[str, Rule]], facts: matching.Facts) -> list[tuple[str, Rule]]:
    """The rules that hold for a mail, up to one that stops."""
    found = []
    for where, rule in rules:
        if matching.holds(rule, facts):
            found.append((where, rule))
            if rule.stop:
                break
    return found


async def apply(tx: Tx, desk: Desk, inbox: Inbox, about: Conversation, came: Came) -> Conversation:
    """Do what the rules of an inbox say about a mail; spam is left alone."""
    if about.state is State.SPAM:
        return about
    rules = await of_inbox(tx, inbox)
    for index, (where, rule) in enumerate(holding(rules, came.facts) if rules else ()):
        try:
            await _do(tx, desk, inbox, about, came, rule, index)
        except Permanent as error:
            await tell_control(
                tx, desk, PostKey.other(Shows.RULE, inbox.id, rule.name, error),
                f"⚠️ {inbox.name}: the rule “{rule.name}” ({where}) could not do all it says:"
                f" {error} The mail is in #{about.number} all the same.",
            )  # fmt: skip
        about = await tx.conversations.get(about.number)
    return about


async def _do(
    tx: Tx, desk: Desk, inbox: Inbox, about: Conversation, came: Came, rule: Rule, index: int
) -> None:
    """Everything one rule says. Raises Permanent with what could not be done, when the rest is.
    `index` tells this rule from others that hold for the mail."""
    then = rule.then
    tags = dict.fromkeys((*about.tags, *then.tag))
    changes: ConversationChanges = {"tags": tuple(tags)}
    if then.department:
        changes["department"] = then.department
    if then.priority:
        changes["priority"] = Priority[then.priority.upper()]
    about = await tx.conversations.update(about.number, **changes)
    problems = []
    if then.close and about.state not in FINISHED:
        about = await state.put(tx, desk, about, State.CLOSED)
    elif then.snooze and about.state not in FINISHED:
        until = moment(then.snooze, datetime.fromtimestamp(desk.now(), UTC).astimezone())
        if until is None:
            problems.append(f"{then.snooze!r} is no time like 2d or tomorrow 9:00.")
        else:
            about = await state.put(tx, desk, about, State.SNOOZED, until.timestamp())
    if then.notify:
        await _notify(tx, desk, inbox, about, came, rule, index)
    if then.assign:
        if await tx.rooms.is_agent(about.inbox, Mxid(then.assign)):
            await give(tx, desk, about, Mxid(then.assign), f"rule:{came.letter.id}")
        else:
            problems.append(f"{then.assign} is no agent of {inbox.name}.")
    if then.snippet:
        problems += await answering.answer(tx, desk, inbox, about, came.letter, rule)
    if then.webhook:
        problems += await _hook(tx, desk, about, came, rule, index)
    await refresh(tx, desk, await tx.conversations.get(about.number))
    if problems:
        raise Refused(" ".join(problems))


async def _notify(
    tx: Tx, desk: Desk, inbox: Inbox, about: Conversation, came: Came, rule: Rule, index: int
) -> None:
    key = PostKey.of_mail(Shows.NOTIFY, came.letter.id, index)
    if rule.then.notify is True:
        url = f" {link(about.room, desk.server)}" if about.room else ""
        subject = about.subject or "(no subject)"
        text = f"🔔 {rule.name}: #{about.number} {subject}, from {came.mail.sender}{url}"
        content = render.text_message(text)
        await tx.posts.put(Wanted.message(key, Place.queue(inbox.id), desk.bot, content))
        return
    who = str(rule.then.notify)
    content = render.text_message(f"🔔 {who}: {rule.name}.")
    content["m.mentions"] = {"user_ids": [who]}
    await tx.posts.put(Wanted.message(key, Place.of(about.number), desk.bot, content))


async def _hook(
    tx: Tx, desk: Desk, about: Conversation, came: Came, rule: Rule, index: int
) -> list[str]:
    if not desk.settings.webhook_secret.get_secret_value():
        return ["a webhook needs webhook_secret in config.yaml, which signs what is sent."]
    mail = came.mail
    event = {
        "type": "mail.received",
        "timestamp": datetime.fromtimestamp(desk.now(), UTC).isoformat(),
        "data": {
            "rule": rule.name, "conversation": standing(about),
            "mail": {
                "message_id": mail.message_id, "from": str(mail.sender), "subject": mail.subject,
                "to": [str(each) for each in mail.to], "cc": [str(each) for each in mail.cc],
                "text": came.body.text[:BODY], "verdict": mail.verdict.value,
                "attachments": [{"name": each.name, "type": each.type, "size": each.size}
                                for each in mail.attachments],
            },
        },
    }  # fmt: skip
    await tx.jobs.add(
        CallHook(came.letter.id, index, url=rule.then.webhook, event=event, at=desk.now())
    )
    return []
