"""The command reference in docs/, made from the same table as `!help`."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.config.inbox_form import KEYS
from bridge.mail.provider import PROVIDERS

AGENTS = """\
# For agents

Everything you write in a conversation's room stays there, unless you send it. Commands begin with
`!`; each reaction has its command, so any client will do. Blanks before the word, a colon after it,
`！` or `/` in place of `!` count for nothing, and what is mistyped is answered with the command
that was probably meant. An edit never becomes a command. This page is made from the table behind
`!help`.
"""
ADMINS = """\
# For admins

Admins are named in `config.yaml`. Their commands work in the control room, to which the bridge
invites them at its first start, and nowhere else. What they change takes effect at once, and
`!audit` shows it. This page is made from the table behind `!help`.
"""
ADD = """\
## Setting up an inbox by chat

1. `!inbox add support@example.com` asks for what is missing, one question at a time; answer with
   plain messages. A password is redacted as soon as it is read and kept encrypted with the key in
   `postroom.key` (or `encryption_key`).
2. `!inbox test support` tries every step, ends with a real mail to itself, and says what failed and
   what to do about it.
3. `!inbox publish support` takes it live: its rooms are made and its agents invited.

Inboxes of `config.yaml` work beside those of the chat; chat shows them and does not change them.
`!inbox set` knows these keys, which [config.example.yaml](../config.example.yaml) explains:
"""
PROVIDERS_INTRO = """\
## Providers

Named in the answer to “Where is the mailbox?”, or known by the address. The password is an app
password, made on the provider's page after two-factor log-in was switched on there.
"""


Rows = Sequence[tuple[str, str]]
"""(usage of a command or emoji of a reaction, what it does)."""


def _commands(rows: Rows, prefix: str) -> list[str]:
    shown = [(usage.replace("|", "\\|"), what) for usage, what in rows]  # or it ends the cell
    lines = [f"| `{prefix}{usage}` | {what} |" for usage, what in shown]
    return ["| command | what it does |", "|---|---|", *lines]


def _page(parts: Sequence[str]) -> str:
    return "\n\n".join(part.strip() for part in parts) + "\n"


def agents(conversation: Rows, queue: Rows, reactions: Rows, prefix: str) -> str:
    """Text of docs/agents.md."""
    parts = [AGENTS]
    for commands, title in ((conversation, "In a conversation"), (queue, "In the queue room")):
        parts.append("\n".join((f"## {title}\n", *_commands(commands, prefix))))
    rows = [f"| {emoji} | {what} |" for emoji, what in reactions]
    parts.append("\n".join(("## Reactions\n", "| reaction | what it does |", "|---|---|", *rows)))
    return _page(parts)


def admins(control: Rows, prefix: str) -> str:
    """Text of docs/admins.md."""
    commands = "\n".join(("## Commands\n", *_commands(control, prefix)))
    keys = ", ".join(f"`{key}`" for key in KEYS)
    rows = [
        f"| `{each.key}` | {each.label} | {each.imap} | {each.smtp}, {each.smtp_tls} |"
        f" {f'<{each.app_passwords}>' if each.takes_passwords else 'takes none any more'} |"
        for each in PROVIDERS
    ]
    table = ("| name | provider | IMAP | SMTP | app passwords |", "|---|---|---|---|---|", *rows)
    return _page((ADMINS, commands, ADD, keys + ".", PROVIDERS_INTRO, "\n".join(table)))
