"""`!rule`: lists, adds, removes and tests rules."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from datetime import UTC, datetime

from bridge.chat import admin as texts
from bridge.chat import render
from bridge.chat.when import when
from bridge.config.inbox import Inbox
from bridge.config.matching import spam_said
from bridge.config.rule import EXAMPLE, Rule, read
from bridge.desk.command import CommandSpec
from bridge.desk.context import Request
from bridge.desk.desk import Desk
from bridge.desk.rules import Incoming, applicable, matching_rules, of_inbox
from bridge.mail.header import values_of
from bridge.model import (
    CONTROL,
    InboxId,
    Job,
    Mxid,
    PostKey,
    Refused,
    Role,
    Shows,
    Transient,
    Wanted,
    words,
)
from bridge.model.admin_task import RehearseRules
from bridge.ports import Tx

MAILS = 50


async def list_(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!rule list`: show every rule and where it is written."""
    lines = []
    for inbox in desk.settings.inboxes.values():
        lines += [f"{inbox.name} · config.yaml · {_told(rule)}" for rule in inbox.rules]
        for number, text in await tx.rules.all(inbox.id):
            try:
                lines += [f"{inbox.name} · {number} · {_told(rule)}" for rule in read(text)]
            except Refused as error:
                lines.append(f"{inbox.name} · {number} · cannot be read any more: {error}")
    return "\n".join(lines) or texts.NO_RULES


def _told(rule: Rule) -> str:
    """One line about a rule, like `invoices: from @billing.example → tag billing`."""
    which = {"new": "", "reply": "answers, ", "every": "new mails and answers, "}[rule.on]
    unless = f", unless {_said(rule.unless)}" if rule.unless is not None else ""
    stops = " (stops)" if rule.stop else ""
    return f"{rule.name}: {which}{_said(rule.when)}{unless} → {_said(rule.then)}{stops}"


def _said(part: object) -> str:
    given = part.model_dump(by_alias=True, exclude_unset=True)  # type: ignore[attr-defined]  # a Section
    return ", ".join(
        f"{key} {_plain(value)}"
        for key, value in given.items()
    ) or "every mail"  # fmt: skip


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}: {_plain(each)}" for key, each in value.items())
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


async def add(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!rule add INBOX` with YAML on the lines below: add a rule."""
    inbox, text = _inbox(desk, asked)
    if not text:
        raise Refused(texts.RULE_USAGE)
    rules = read(text)
    faults = [fault for rule in rules for fault in await _faults(tx, desk, inbox, rule)]
    if faults:
        raise Refused("\n".join(faults))
    number = await tx.rules.add(inbox.id, text)
    names = ", ".join(rule.name for rule in rules)
    await tx.audit.add(desk.now(), asked.who, f"inbox {inbox.id}: added rule {number} ({names})")
    return (f"Rule {number} of {inbox.name} holds from the next mail on: {names}. !rule test"
            f" {inbox.id} shows what it would have done.")  # fmt: skip


async def _faults(tx: Tx, desk: Desk, inbox: Inbox, rule: Rule) -> list[str]:
    """Why the actions of a rule would fail with every mail; empty where they would not."""
    then, found = rule.then, []
    if then.snooze and when(then.snooze, datetime.fromtimestamp(desk.now(), UTC)) is None:
        found.append(f"{then.snooze!r} is no time like 2d or tomorrow 9:00.")
    if then.assign and not await tx.rooms.is_agent(inbox.id, Mxid(then.assign)):
        found.append(f"{then.assign} is not an agent of {inbox.name}.")
    if then.snippet and then.snippet.casefold() not in await tx.snippets.all(inbox.id):
        found.append(f"there is no snippet {then.snippet}; !snippet add writes one.")
    if then.webhook and not desk.settings.webhook_secret.get_secret_value():
        found.append("a webhook needs webhook_secret in config.yaml, which signs what is sent.")
    return [f"{rule.name}: {fault}" for fault in found]


async def remove(tx: Tx, desk: Desk, asked: Request) -> str:
    number = words.number(asked.rest)
    if number is None:
        raise Refused("Say which by its number, like !rule remove 3; !rule list shows them.")
    inbox = await tx.rules.remove(number)
    if inbox is None:
        raise Refused(f"There is no rule {number}; those of config.yaml are changed there.")
    await tx.audit.add(desk.now(), asked.who, f"inbox {inbox}: removed rule {number}")
    return f"Rule {number} is removed."


async def test(tx: Tx, desk: Desk, asked: Request) -> str:
    """`!rule test INBOX`, with YAML below to test other rules than the stored ones: add a job that
    reads the last mails."""
    inbox, text = _inbox(desk, asked)
    if text:
        read(text)
    elif not await of_inbox(tx, inbox):
        raise Refused(texts.NO_RULES)
    await tx.jobs.add(RehearseRules(asked.event.id, inbox=inbox.id, text=text))
    return f"Reading the last {MAILS} mails of {inbox.name}; nothing is done with them."


async def rehearse(desk: Desk, job: Job[RehearseRules]) -> None:
    """Check the rules against the last mails and answer with what they would have done."""
    inbox = desk.inbox(job.task.inbox)
    async with desk.store.reading() as tx:
        letters = await tx.mails.last(inbox.id, MAILS)
        rules = [("", rule) for rule in read(job.task.text)] if job.task.text else []
        rules = rules or await of_inbox(tx, inbox)
    lines, looked = [], 0
    for letter in letters:
        async with desk.store.reading() as tx:
            raw = await tx.mails.raw(letter.raw) if letter.raw is not None else b""
            note = await tx.mails.note(inbox.id, letter.raw) if letter.raw is not None else ""
            first = (await tx.mails.of_conversation(letter.conversation))[:1]
        if not raw:
            continue
        looked += 1
        try:
            mail, body = await desk.reader.read(raw, inbox.authserv_id, inbox.own)
        except Transient:
            continue
        is_new = bool(first) and first[0].id == letter.id
        header = functools.partial(values_of, raw)
        junk = json.loads(note or "{}").get("junk", "")
        spam = functools.partial(spam_said, inbox.spam_headers, header, junk)
        facts = replace(Incoming.whole(mail, body, raw, letter, is_new), spam=spam).facts
        held = applicable(matching_rules(rules, facts), is_new=is_new)
        if held:
            done = "; ".join(f"{rule.name}: {_said(rule.then)}" for _, rule in held)
            lines.append(
                f"#{letter.conversation} {mail.subject[:60]} ({mail.sender.spec}) → {done}"
            )
    text = texts.rehearsed(inbox.name, looked, lines)
    async with desk.store.transaction("told") as tx:
        await tx.jobs.finish(job)
        event = job.task.event
        key = PostKey.other(Shows.REHEARSED, event)
        await tx.posts.put(Wanted.message(key, CONTROL, desk.bot, render.notice(text), event))


def _inbox(desk: Desk, asked: Request) -> tuple[Inbox, str]:
    """Parse `INBOX` and the lines below into (inbox, YAML); a single inbox need not be named.
    Raises Refused."""
    first, _, text = asked.rest.partition("\n")
    known, word = desk.settings.inboxes, first.strip().casefold()
    if not word and len(known) == 1:
        return next(iter(known.values())), text.strip()
    if word not in known:
        there = ", ".join(known) or "none yet"
        raise Refused(f"Say which inbox, and the rule on the lines below; there are {there}.")
    return known[InboxId(word)], text.strip()


ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    CommandSpec(
        "rule list",
        Role.CONTROL,
        "",
        "List the rules: when each applies, and what it does.",
        list_,
    ),
    CommandSpec(
        "rule add",
        Role.CONTROL,
        "INBOX",
        "Add a rule, as YAML on the lines below. It applies from the next mail on.",
        add,
        example=f"rule add support\n{EXAMPLE}",
    ),
    CommandSpec(
        "rule test",
        Role.CONTROL,
        "INBOX",
        "Show what the rules, or those on the lines below, would have done with the last 50 mails.",
        test,
    ),
    CommandSpec(
        "rule remove",
        Role.CONTROL,
        "NUMBER",
        "Remove a rule.",
        remove,
    ),
)
