"""Lists of conversations: the pinned summary, `!list`, `!history`, and search results."""

from __future__ import annotations

import html
from collections.abc import Sequence

from bridge.chat.render import clock, marks, notice, text_message
from bridge.chat.room import link
from bridge.config.inbox import Inbox
from bridge.model import Content, Conversation, EventId, Passage, State

SHOWN = 30
SIGNS = {State.OPEN: "📬", State.ANSWERED: "✅", State.SNOOZED: "💤", State.CLOSED: "☑️",
         State.SPAM: "🗑"}  # fmt: skip


def conversations(
    title: str, found: Sequence[Conversation], total: int, server: str, now: float
) -> Content:
    """A titled list with a link on each line; `total` may be more than `found` has."""
    if not found:
        return notice(f"{title}: none.")
    rows = [(f"{SIGNS[each.state]} ", each, _summary_line(each, now)) for each in found]
    return _list(f"{title}: {total}", rows, total, server)


def summary(
    total: int, free: int, first: Sequence[Conversation], inbox: Inbox, server: str, now: float
) -> Content:
    """The pinned list of waiting conversations: `first` are its top lines, `free` counts those that
    nobody has taken."""
    if not total:
        return notice(f"{inbox.name}: nobody waits for an answer ☀️")
    head = f"{inbox.name}: {total} {'waits' if total == 1 else 'wait'} for an answer"
    head += f", {free} not taken" if free else ", all taken"
    return _list(head, [("", each, _waits(each, now)) for each in first], total, server)


def found(
    query: str,
    rows: Sequence[tuple[Conversation, EventId | None, Passage, str]],
    total: int,
    server: str,
    now: float,
) -> Content:
    """The results of a search, newest first, with links to the messages; `rows` are (conversation,
    message, passage, excerpt)."""
    many = "1 hit" if total == 1 else f"{total} hits"
    head = f"{many} for “{' '.join(query.split())[:100]}”"
    lines, items = [head], []
    for conversation, event, passage, excerpt in rows:
        label = f"#{conversation.number} {conversation.subject or '(no subject)'}"[:80]
        told = f"{passage.who}, {clock(passage.at, now)}: {excerpt}"
        lines.append(f"{label} · {told}")
        shown = html.escape(label)
        if conversation.room:
            url = link(conversation.room, server, event)
            shown = f'<a href="{html.escape(url)}">{shown}</a>'
        items.append(f"<li>{shown} · {html.escape(told)}</li>")
    if total > len(rows):
        rest = f"and {total - len(rows)} older; more words find fewer"
        lines.append(rest)
        items.append(f"<li>{rest}</li>")
    formatted = f"<strong>{html.escape(head)}</strong><ul>{''.join(items)}</ul>"
    return text_message("\n".join(lines), formatted, notice=True)


def _list(
    head: str, rows: Sequence[tuple[str, Conversation, str]], total: int, server: str
) -> Content:
    """`rows` are (sign, conversation, details); the conversation's name is a link."""
    lines, items = [head], []
    for sign, conversation, told in rows:
        label = f"#{conversation.number} {conversation.subject or '(no subject)'}"[:100]
        lines.append(f"{sign}{label} · {told}")
        shown = html.escape(label)
        if conversation.room:
            shown = f'<a href="{html.escape(link(conversation.room, server))}">{shown}</a>'
        items.append(f"<li>{sign}{shown} · {html.escape(told)}</li>")
    if total > len(rows):
        lines.append(f"and {total - len(rows)} more")
        items.append(f"<li>and {total - len(rows)} more</li>")
    formatted = f"<strong>{html.escape(head)}</strong><ul>{''.join(items)}</ul>"
    return text_message("\n".join(lines), formatted, notice=True)


def _waits(conversation: Conversation, now: float) -> str:
    parts = (
        conversation.contact.name or conversation.contact.spec,
        f"since {clock(conversation.waiting_since or conversation.changed_at, now)}",
        conversation.assignee or "not taken", marks(conversation),
    )  # fmt: skip
    return " · ".join(part for part in parts if part)


def _summary_line(conversation: Conversation, now: float) -> str:
    when = f"since {clock(conversation.waiting_since, now)}" if conversation.waiting_since else ""
    if conversation.state is State.SNOOZED and conversation.snoozed_until:
        when = f"until {clock(conversation.snoozed_until, now)}"
    parts = (
        conversation.contact.name or conversation.contact.spec,
        when or clock(conversation.changed_at, now),
        conversation.assignee or "not taken",
        marks(conversation),
    )
    return " · ".join(part for part in parts if part)
