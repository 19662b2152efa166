"""Lists every command and reaction, in the order of `!help`."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Sequence

from bridge.chat import reference, render
from bridge.desk.admin import (
    answers,
    audit,
    domains,
    erase,
    export,
    forwards,
    hooks,
    inbox_setup,
    inboxes,
    jobs,
    login,
    publish,
    report,
    rulebook,
    status,
    templates,
    testing,
)
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext, Request
from bridge.desk.desk import Desk
from bridge.desk.outbound import (
    compose,
    decisions,
    forward,
    info,
    later,
    overrides,
    reply,
    snippet,
)
from bridge.desk.team import agents
from bridge.desk.triage import assign, block, contact, labels, merge, move, original, search, state
from bridge.model import Content, Role
from bridge.ports import Tx

HELP_TEXT = "Show the commands of every day, all of them, or one."
EVERYDAY = (
    "reply", "send", "draft", "take", "assign", "close", "snooze", "tag", "forward", "info",
)  # fmt: skip
"""The commands that `!help` shows in a conversation's room."""
IN_DIRECT = ("list", "search", "stats", "away", "back", "help")
"""The commands of queue rooms that work in a direct chat, too, for every inbox of the agent."""
ROOM_NAMES = {
    Role.CONVERSATION: "a conversation's room",
    Role.QUEUE: "the queue room",
    Role.CONTROL: "the control room",
    Role.DIRECT: "a direct chat with me",
}


async def _help(tx: Tx, desk: Desk, context: CommandContext) -> Content:
    return help_content(desk, context.room.role, context.rest)


async def _admin_help(tx: Tx, desk: Desk, asked: Request) -> Content:
    return help_content(desk, Role.CONTROL, asked.rest)


def help_content(desk: Desk, room: Role, rest: str) -> Content:
    """The answer to `!help`, with the commands in bold."""
    text = desk.with_prefix(help_text(room, rest, desk.settings.command_prefix))
    lines = []
    for line in text.split("\n"):
        usage, dash, what = line.partition(" – ")
        escaped = html.escape(usage, quote=False)
        lines.append(f"<b>{escaped}</b> – {html.escape(what, quote=False)}" if dash else escaped)
    return render.text_message(text, "<br>".join(lines), notice=True)


COMMAND_FILES = (
    inbox_setup, inboxes, login, hooks, forwards, publish, testing, domains, templates, agents,
    reply, later, compose, forward, decisions, overrides, assign, state, block, labels, snippet,
    contact, merge, move, search, info, original, rulebook, status, jobs, report, export, erase,
    audit, answers,
)  # fmt: skip
"""The files that define commands or reactions, in the order of `!help`."""


AGENT_COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    *(spec for file in COMMAND_FILES for spec in getattr(file, "COMMANDS", ())),
    CommandSpec(
        "help", Role.CONVERSATION, "[all | COMMAND]", HELP_TEXT, _help, works_after_merge=True
    ),
    CommandSpec("help", Role.QUEUE, "[COMMAND]", "Show the commands, or one of them.", _help),
)
ADMIN_COMMANDS: tuple[CommandSpec[Request], ...] = (
    *(spec for file in COMMAND_FILES for spec in getattr(file, "ADMIN_COMMANDS", ())),
    CommandSpec(
        "help", Role.CONTROL, "[COMMAND]", "Show the commands, or those of one word.", _admin_help
    ),
)
REACTIONS: tuple[ReactionSpec, ...] = tuple(
    spec for file in COMMAND_FILES for spec in getattr(file, "REACTIONS", ())
)
ALL: tuple[CommandSpec[CommandContext] | CommandSpec[Request], ...] = (
    *AGENT_COMMANDS,
    *ADMIN_COMMANDS,
)
WORDS = frozenset(each.word for each in ALL)


def agent_command(word: str, room: Role) -> CommandSpec[CommandContext] | None:
    """The agents' command with this first word in this kind of room; None for none."""
    if room is Role.DIRECT:
        return agent_command(word, Role.QUEUE) if word in IN_DIRECT else None
    return next((each for each in AGENT_COMMANDS if (each.word, each.room) == (word, room)), None)


def _works_in(each: CommandSpec[CommandContext] | CommandSpec[Request], room: Role) -> bool:
    if room is Role.DIRECT:
        return each.room is Role.QUEUE and each.word in IN_DIRECT
    return each.room is room


def unknown(word: str, room: Role, prefix: str) -> str:
    """The answer to a command that does not exist in this kind of room."""
    elsewhere = [each.room for each in ALL if each.word == word and not _works_in(each, room)]
    if elsewhere:
        return f"{prefix}{word} works in {ROOM_NAMES[elsewhere[0]]}."
    if near := nearest(word, room):
        return f"No command {prefix}{word[:40]}; nothing was done. Did you mean {prefix}{near}?"
    return f"No command {prefix}{word[:40]}; {prefix}help lists them."


def nearest(word: str, room: Role) -> str | None:
    """The command of this kind of room that a mistyped word is most like; None for none."""
    here = dict.fromkeys(each.word for each in ALL if _works_in(each, room))
    typed = re.match(r"[^\W\d_]*", word)
    for each in dict.fromkeys((word, typed[0] if typed else "")):
        if each in here:
            return each
        found: list[str] = difflib.get_close_matches(each, list(here), n=1, cutoff=0.65)
        if found:
            return found[0]
    return None


def command_rows(room: Role) -> list[tuple[str, str]]:
    """(usage, help) of the commands of a room."""
    return [(each.usage, each.help) for each in ALL if each.room is room]


def reaction_rows() -> list[tuple[str, str]]:
    """(emoji, help) of the reactions."""
    return [(each.emoji, each.help) for each in REACTIONS if each.help]


def help_text(room: Role, rest: str, prefix: str) -> str:
    """`!help`, `!help all`, or `!help COMMAND`, for one kind of room."""
    word = rest.split()[0].lower().removeprefix(prefix) if rest.split() else ""
    here = [each for each in ALL if _works_in(each, room)]
    if word and word != "all":
        return _help_on(word, [each for each in here if each.word == word], prefix)
    is_short = room is Role.CONVERSATION and not word
    shown = [each for each in here if not is_short or each.word in EVERYDAY]
    lines = [f"{prefix}{each.usage} – {each.help}" for each in shown]
    if room is Role.CONVERSATION:
        lines.append("Messages that are not commands stay in this room.")
    if is_short:
        lines.append(f"{prefix}help all lists all {len(here)} commands, and the reactions.")
    elif room is Role.CONVERSATION:
        lines.append("Reactions do the same as commands:")
        lines += [f"{emoji} {what}" for emoji, what in reaction_rows()]
    return "\n".join(lines)


def _help_on(
    word: str, meant: Sequence[CommandSpec[CommandContext] | CommandSpec[Request]], prefix: str
) -> str:
    if not meant:
        return f"No command {prefix}{word} here; {prefix}help lists them."
    lines = [f"{prefix}{each.usage}\n{each.help}" for each in meant]
    lines += [f"For example:\n{prefix}{each.example}" for each in meant if each.example]
    return "\n".join(lines)


def agents_page(prefix: str = "!") -> str:
    """The text of docs/agents.md."""
    return reference.agents(
        command_rows(Role.CONVERSATION), command_rows(Role.QUEUE), reaction_rows(), prefix
    )


def admins_page(prefix: str = "!") -> str:
    """The text of docs/admins.md."""
    return reference.admins(command_rows(Role.CONTROL), prefix)
