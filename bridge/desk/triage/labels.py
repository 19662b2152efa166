"""Keeping order: tags, priority, subject, lists, and what went before with a contact."""

from __future__ import annotations

import html
import re
from typing import Unpack

from bridge.chat import listing, render
from bridge.desk.command import CommandSpec
from bridge.desk.context import Hearing
from bridge.desk.desk import Desk, mail_meant
from bridge.desk.rooms.refresh import answer_with, refresh
from bridge.mail.charset import clean, clean_line, decode
from bridge.model import (
    FINISHED,
    Conversation,
    ConversationChanges,
    Filter,
    Priority,
    Refused,
    Role,
    State,
    words,
)
from bridge.ports import Tx

MAX_TAGS = 20
HEADERS = 8_000
"""Bytes of a mail's headers that are shown."""
LISTS = "open, mine, unassigned, snoozed, answered, closed, spam, tag:NAME or department:NAME"


async def tag(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!tag +billing -urgent`: add and take away; alone it shows them."""
    tags = list(heard.about.tags)
    for word in heard.rest.replace(",", " ").split():
        name = words.tag(word.lstrip("+-"))
        if name is None:
            raise Refused(
                f"{word[:50]} is no tag: use letters, digits and -, {words.LONGEST_TAG} at most;"
                " nothing was changed."
            )
        if word.startswith("-"):
            tags = [each for each in tags if each != name]
        elif name not in tags:
            tags.append(name)
    if len(tags) > MAX_TAGS:
        raise Refused(f"A conversation has {MAX_TAGS} tags at most; nothing was changed.")
    if tuple(tags) != heard.about.tags:
        await _change(tx, desk, heard.about, tags=tuple(tags))
    return f"Tags: {', '.join(tags)}" if tags else "No tags."


async def priority(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!priority high`: before the others in the list."""
    said = heard.rest.strip().casefold()
    if not said:
        return f"Priority: {heard.about.priority.name.lower()}"
    names = {each.name.lower(): each for each in Priority}
    if said not in names:
        raise Refused("Say !priority high, normal or low; nothing was changed.")
    await _change(tx, desk, heard.about, priority=names[said])
    return f"Priority: {said}"


async def subject(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!subject TEXT`: what the room and the next emails are called."""
    text = clean_line(heard.rest, 300)
    if not text:
        return f"Subject: {heard.about.subject or '(none)'}"
    await _change(tx, desk, heard.about, subject=text, renamed=True)
    return (f"The room and the next emails are called “{text}”. Mail programs that sort by subject"
            " show them as a new thread.")  # fmt: skip


async def _change(
    tx: Tx, desk: Desk, about: Conversation, **changes: Unpack[ConversationChanges]
) -> None:
    changes["changed_at"] = desk.now()
    changed = await tx.conversations.update(about.number, **changes)
    await refresh(tx, desk, changed)


async def list_(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!list open|mine|…`: conversations of this inbox."""
    what = heard.rest.strip().casefold() or "open"
    filters = {
        "open": Filter(state=State.OPEN), "answered": Filter(state=State.ANSWERED),
        "snoozed": Filter(state=State.SNOOZED), "closed": Filter(state=State.CLOSED),
        "spam": Filter(state=State.SPAM),
        "mine": Filter(assignee=heard.who, without=FINISHED),
        "unassigned": Filter(unassigned=True, without=FINISHED),
    }  # fmt: skip
    if what.startswith("tag:") and (tag := words.tag(what[4:])):
        filters[what] = Filter(tag=tag)
    if what.startswith("department:") and what[11:].strip():
        filters[what] = Filter(department=what[11:].strip())
    if what not in filters:
        raise Refused(f"Say what to list: {LISTS}.")
    total, found = await tx.conversations.listed(heard.inbox.id, filters[what], listing.SHOWN)
    await _show(tx, desk, heard, f"{heard.inbox.name}, {what}", found, total)
    return None


async def history(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!history`: this contact's other conversations in this inbox."""
    known = await tx.contacts.of(heard.inbox.id, heard.about.contact.spec)
    specs = known.specs if known is not None else (heard.about.contact.spec,)
    found = [
        each
        for each in await tx.conversations.of_contact(heard.inbox.id, *specs)
        if each.number != heard.about.number
    ]
    await _show(
        tx, desk, heard, f"Other conversations with {heard.about.contact}", found, len(found)
    )
    return None


async def _show(
    tx: Tx, desk: Desk, heard: Hearing, title: str, found: list[Conversation], total: int
) -> None:
    content = listing.conversations(title, found, total, desk.server, desk.now())
    await answer_with(tx, desk, heard.where, heard.event.id, content)


async def headers(tx: Tx, desk: Desk, heard: Hearing) -> str | None:
    """`!headers`: of the mail it replies to, else of the newest that came in."""
    number = heard.about.number
    letter = await (
        tx.mails.latest(number)
        if heard.points_at is None
        else mail_meant(tx, number, heard.points_at)
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
    await answer_with(tx, desk, heard.where, heard.event.id, content)
    return None


COMMANDS: tuple[CommandSpec[Hearing], ...] = (
    CommandSpec(
        "tag",
        Role.CONVERSATION,
        "[+NAME…] [-NAME…]",
        "Show the tags, or add and take away some.",
        tag,
    ),
    CommandSpec(
        "priority",
        Role.CONVERSATION,
        "high|normal|low",
        "Have it before or behind the others in the list.",
        priority,
    ),
    CommandSpec(
        "subject",
        Role.CONVERSATION,
        "[TEXT]",
        "Call the room and the next emails TEXT.",
        subject,
    ),
    CommandSpec(
        "history",
        Role.CONVERSATION,
        "",
        "Show this contact's other conversations.",
        history,
        after_merge=True,
    ),
    CommandSpec(
        "headers",
        Role.CONVERSATION,
        "",
        "Show a mail's headers. As a reply to a mail: its, else those of the newest that came in.",
        headers,
        after_merge=True,
    ),
    CommandSpec(
        "list",
        Role.QUEUE,
        "[open|mine|unassigned|snoozed|answered|closed|spam|tag:NAME|department:NAME]",
        "List conversations, with links.",
        list_,
    ),
)
