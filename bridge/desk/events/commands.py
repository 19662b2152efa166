"""Lists every command and reaction, in the order of `!help`."""

from __future__ import annotations

from bridge.chat import reference
from bridge.desk.admin import (
    answers,
    audit,
    erase,
    export,
    inbox_setup,
    inboxes,
    jobs,
    report,
    rulebook,
    status,
    testing,
)
from bridge.desk.command import CommandSpec, ReactionSpec
from bridge.desk.context import CommandContext, Request
from bridge.desk.desk import Desk
from bridge.desk.outbound import compose, decisions, forward, info, overrides, reply, snippet
from bridge.desk.team import agents
from bridge.desk.triage import assign, block, contact, labels, merge, move, original, search, state
from bridge.model import Role
from bridge.ports import Tx

HELP_TEXT = "Show the commands, or one of them."
ROOM_NAMES = {
    Role.CONVERSATION: "a conversation's room",
    Role.QUEUE: "the queue room",
    Role.CONTROL: "the control room",
}


async def _help(tx: Tx, desk: Desk, context: CommandContext) -> str:
    return help_text(context.room.role, context.rest, desk.settings.command_prefix)


async def _admin_help(tx: Tx, desk: Desk, asked: Request) -> str:
    return help_text(Role.CONTROL, asked.rest, desk.settings.command_prefix)


COMMAND_FILES = (
    inbox_setup, inboxes, testing, agents, reply, compose, forward, decisions, overrides, assign,
    state, block, labels, snippet, contact, merge, move, search, info, original, rulebook, status,
    jobs, report, export, erase, audit, answers,
)  # fmt: skip
"""The files that define commands or reactions, in the order of `!help`."""


AGENT_COMMANDS: tuple[CommandSpec[CommandContext], ...] = (
    *(spec for file in COMMAND_FILES for spec in getattr(file, "COMMANDS", ())),
    CommandSpec("help", Role.CONVERSATION, "[COMMAND]", HELP_TEXT, _help, works_after_merge=True),
    CommandSpec("help", Role.QUEUE, "[COMMAND]", HELP_TEXT, _help),
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
    return next((each for each in AGENT_COMMANDS if (each.word, each.room) == (word, room)), None)


def unknown(word: str, room: Role, prefix: str) -> str:
    """The answer to a command that does not exist in this kind of room."""
    elsewhere = [each.room for each in ALL if each.word == word and each.room is not room]
    if elsewhere:
        return f"{prefix}{word} works in {ROOM_NAMES[elsewhere[0]]}."
    return f"No command {prefix}{word}; {prefix}help lists them."


def command_rows(room: Role) -> list[tuple[str, str]]:
    """(usage, help) of the commands of a room."""
    return [(each.usage, each.help) for each in ALL if each.room is room]


def reaction_rows() -> list[tuple[str, str]]:
    """(emoji, help) of the reactions."""
    return [(each.emoji, each.help) for each in REACTIONS if each.help]


def help_text(room: Role, rest: str, prefix: str) -> str:
    """`!help`, or `!help COMMAND`, for one kind of room."""
    word = rest.split()[0].lower().removeprefix(prefix) if rest.split() else ""
    named = [(each.usage, each.help) for each in ALL if (each.word, each.room) == (word, room)]
    if word and not named:
        return f"No command {prefix}{word} here; {prefix}help lists them."
    if word:
        return "\n".join(f"{prefix}{usage}\n{what}" for usage, what in named)
    lines = [f"{prefix}{usage} – {what}" for usage, what in command_rows(room)]
    if room is Role.CONVERSATION:
        lines.append(
            "Messages that are not commands stay in this room. Reactions do the same as commands:"
        )
        lines += [f"{emoji} {what}" for emoji, what in reaction_rows()]
    return "\n".join(lines)


def agents_page(prefix: str = "!") -> str:
    """The text of docs/agents.md."""
    return reference.agents(
        command_rows(Role.CONVERSATION), command_rows(Role.QUEUE), reaction_rows(), prefix
    )


def admins_page(prefix: str = "!") -> str:
    """The text of docs/admins.md."""
    return reference.admins(command_rows(Role.CONTROL), prefix)
