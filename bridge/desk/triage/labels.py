"""Commands for tags, priority, subject, lists, a contact's history, and mail headers."""

from __future__ import annotations

import html
import re
from typing import Unpack

from bridge.chat import listing, render
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk, mail_meant
from bridge.desk.rooms.refresh import refresh
from bridge.mail.charset import clean, clean_line, decode
from bridge.model import (
    FINISHED_CONVERSATIONS,
    Content,
    Conversation,
    ConversationChanges,
    Filter,
    Priority,
    Refused,
    Role,
    Shows,
    State,
    words,
)
from bridge.ports import Tx

MAX_TAGS = 20
HEADERS = 8_000
"""Most bytes of a mail's headers that are shown."""
LISTS = "open, mine, unassigned, snoozed, answered, closed, spam, tag:NAME or department:NAME"


async def tag(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!tag +billing -urgent`: add and remove tags; without argument, show them."""
    tags = list(context.conversation.tags)
    for word in context.rest.replace(",", " ").split():
        name = words.tag(word.lstrip("+-"))
        if name is None:
            raise Refused(f"{word[:50]} is not a valid tag: {words.TAG_RULE}; nothing was changed.")
        if word.startswith("-"):
            tags = [each for each in tags if each != name]
        elif name not in tags:
            tags.append(name)
    if len(tags) > MAX_TAGS:
        raise Refused(f"A conversation has {MAX_TAGS} tags at most; nothing was changed.")
    if tuple(tags) != context.conversation.tags:
        await _change(tx, desk, context.conversation, tags=tuple(tags))
    return f"Tags: {', '.join(tags)}" if tags else "No tags."


async def priority(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!priority high`: set the priority, which sorts the list; without argument, show it."""
    said = context.rest.strip().casefold()
    if not said:
        return f"Priority: {context.conversation.priority.name.lower()}"
    names = {each.name.lower(): each for each in Priority}
    if said not in names:
        raise Refused("Say !priority high, normal or low; nothing was changed.")
    await _change(tx, desk, context.conversation, priority=names[said])
    return f"Priority: {said}"


async def urgent(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!urgent`, or ❗ on the card: set the priority to high."""
    if context.conversation.priority is Priority.HIGH:
        return f"#{context.conversation.number} has high priority already."
    await _change(tx, desk, context.conversation, priority=Priority.HIGH)
    return f"#{context.conversation.number} has high priority now."


async def subject(tx: Tx, desk: Desk, context: CommandContext) -> str | None:
    """`!subject TEXT`: change the subject of the room and of the next emails."""
    text = clean_line(context.rest, 300)
    if not text:
        return f"Subject: {context.conversation.subject or '(none)'}"
    await _change(tx, desk, context.conversation, subject=text, renamed=True)
    return (f"The room and the next emails are called “{text}”. Mail programs that sort by subject"
            " show them as a new thread.")  # fmt: skip


async def _change(
    tx: Tx, desk: Desk, conversation: Conversation, **changes: Unpack[ConversationChanges]
) -> None:
    changes["changed_at"] = desk.now()
    changed = await tx.conversations.update(conversation.number, **changes)
    await refresh(tx, desk, changed)


async def list_(tx: Tx, desk: Desk, context: CommandContext) -> Content:
    """`!list open|mine|…`: list conversations of this inbox."""
    what = context.rest.strip().casefold() or "open"
    filters = {
        "open": Filter(state=State.OPEN), "answered": Filter(state=State.ANSWERED),
        "snoozed": Filter(state=State.SNOOZED), "closed": Filter(state=State.CLOSED),
        "spam": Filter(state=State.SPAM),
        "mine": Filter(assignee=context.who, without=FINISHED_CONVERSATIONS),
        "unassigned": Filter(unassigned=True, without=FINISHED_CONVERSATIONS),
    }  # fmt: skip
    if what.startswith("tag:") and (tag := words.tag(what[4:])):
        filters[what] = Filter(tag=tag)
    if what.startswith("department:") and what[11:].strip():
        filters[what] = Filter(department=what[11:].strip())
    if what not in filters:
        raise Refused(f"Say what to list: {LISTS}.")
    total, found = await tx.conversations.listed(context.inbox.id, filters[what], listing.SHOWN)
    return _shown(desk, f"{context.inbox.name}, {what}", found, total)


async def history(tx: Tx, desk: Desk, context: CommandContext) -> Content:
    """`!history`: list this contact's other conversations in this inbox."""
    known = await tx.contacts.of(context.inbox.id, context.conversation.contact.spec)
    specs = known.specs if known is not None else (context.conversation.contact.spec,)
    found = [
        each
        for each in await tx.conversations.of_contact(context.inbox.id, *specs)
        if each.number != context.conversation.number
    ]
    return _shown(
        desk, f"Other conversations with {context.conversation.contact}", found, len(found)
    )


def _shown(desk: Desk, title: str, found: list[Conversation], total: int) -> Content:
    return listing.conversations(title, found, total, desk.server_name, desk.now())


async def headers(tx: Tx, desk: Desk, context: CommandContext) -> Content:
    """`!headers`: show the headers of the mail it replies to, otherwise of the newest incoming
    mail."""
    number = context.conversation.number
    letter = await (
        tx.mails.latest(number)
        if context.points_at is None
        else mail_meant(tx, number, context.points_at)
    )
    if letter is None:
        raise Refused("Reply to a mail of this conversation to see its headers.")
    raw = await tx.mails.raw(letter.raw) if letter.raw is not None else b""
    if not raw:
        raise Refused("The bytes of that mail are not kept any more.")
    head = re.split(rb"\r?\n\r?\n", raw[: 4 * HEADERS], maxsplit=1)[0][:HEADERS]
    text = clean(decode(head, None))
    shown = f"<pre><code>{html.escape(text, quote=False)}</code></pre>"
    content = render.text_message(text, shown, notice=True)
    return content


COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    CommandSpec(
        "tag",
        Role.CONVERSATION,
        "[+NAME…] [-NAME…]",
        "Show the tags, or add and remove some.",
        tag,
    ),
    CommandSpec(
        "priority",
        Role.CONVERSATION,
        "high|normal|low",
        "Put this conversation before or behind the others in the list.",
        priority,
    ),
    CommandSpec(
        "urgent",
        Role.CONVERSATION,
        "",
        "Put this conversation before the others in the list.",
        urgent,
    ),
    CommandSpec(
        "subject",
        Role.CONVERSATION,
        "[TEXT]",
        "Show the subject, or change it to TEXT, for the room and the next emails.",
        subject,
    ),
    CommandSpec(
        "history",
        Role.CONVERSATION,
        "",
        "Show this contact's other conversations.",
        history,
        works_after_merge=True,
    ),
    CommandSpec(
        "headers",
        Role.CONVERSATION,
        "",
        "Show the headers of the newest incoming mail. As a reply to a mail: of that mail.",
        headers,
        works_after_merge=True,
    ),
    CommandSpec(
        "list",
        Role.QUEUE,
        "[open|mine|unassigned|snoozed|answered|closed|spam|tag:NAME|department:NAME]",
        "List conversations, with links.",
        list_,
    ),
)
REACTIONS = (
    ReactionSpec(
        "❗", urgent, Shows.CARD, "on a card: put the conversation before the others in the list"
    ),
)
