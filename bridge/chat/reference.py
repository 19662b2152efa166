"""The command reference in print, made from the same table as `!help`."""

from __future__ import annotations

from bridge.chat.command import REACTIONS, TABLE

HEAD = """\
# For agents

Everything you write in a conversation's room stays there, unless you send it. Commands begin with
`!`; each reaction has its command, so any client will do. This page is made from the table behind
`!help`.
"""
ROOMS = {
    "conversation": "In a conversation",
    "queue": "In the queue room",
    "control": "In the control room (admins)",
}


def page(prefix: str = "!") -> str:
    """docs/agents.md."""
    parts = [HEAD]
    for room, title in ROOMS.items():
        rows = [f"| `{prefix}{spec.usage}` | {spec.help} |" for spec in TABLE if spec.room == room]
        parts.append("\n".join((f"## {title}\n", "| command | what it does |", "|---|---|", *rows)))
    rows = [f"| {emoji} | {meaning} |" for emoji, meaning in REACTIONS]
    parts.append("\n".join(("## Reactions\n", "| reaction | what it does |", "|---|---|", *rows)))
    return "\n\n".join(part.strip() for part in parts) + "\n"
