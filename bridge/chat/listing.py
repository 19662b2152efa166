"""Conversations in a list: `!list`, `!history`, and how each line reads."""

from __future__ import annotations

import html
from collections.abc import Sequence

from bridge.chat.render import clock, marks, text_message
from bridge.chat.room import link
from bridge.model import Content, Conversation, State

SHOWN = 30
SIGNS = {State.OPEN: "📬", State.ANSWERED: "✅", State.SNOOZED: "💤", State.CLOSED: "☑️",
         State.SPAM: "🗑"}  # fmt: skip


def conversations(
    title: str, found: Sequence[Conversation], total: int, server: str, now: float
) -> Content:
    """A titled list with a link on each line; `total` may be more than are shown."""
    if not found:
        return text_message(f"{title}: none.", notice=True)
    lines, rows = [f"{title}: {total}"], []
    for about in found:
        label = f"#{about.number} {about.subject or '(no subject)'}"[:100]
        rest = _about(about, now)
        lines.append(f"{SIGNS[about.state]} {label} · {rest}")
        shown = html.escape(label)
        if about.room:
            shown = f'<a href="{html.escape(link(about.room, server))}">{shown}</a>'
        rows.append(f"<li>{SIGNS[about.state]} {shown} · {html.escape(rest)}</li>")
    if total > len(found):
        lines.append(f"and {total - len(found)} more")
        rows.append(f"<li>and {total - len(found)} more</li>")
    formatted = f"<strong>{html.escape(lines[0])}</strong><ul>{''.join(rows)}</ul>"
    return text_message("\n".join(lines), formatted, notice=True)


def _about(about: Conversation, now: float) -> str:
    when = f"since {clock(about.waiting_since, now)}" if about.waiting_since else ""
    if about.state is State.SNOOZED and about.snoozed_until:
        when = f"until {clock(about.snoozed_until, now)}"
    parts = (
        about.contact.name or about.contact.spec, when or clock(about.changed_at, now),
        about.assignee or "nobody's", marks(about),
    )  # fmt: skip
    return " · ".join(part for part in parts if part)
