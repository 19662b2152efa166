"""Describes a command or reaction: its room, its help text, what it needs, and its handler.

Each file with handlers lists its own in COMMANDS and REACTIONS; `events/commands` lists the files.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.model import Content, Role, Shows
from bridge.ports import Tx

Context = TypeVar("Context", contravariant=True)
Answer = str | Content
"""What the bridge says to a command: a text that names commands with `!`, or a message."""
Act = Callable[[Tx, Desk, Context], Awaitable[Answer | None]]
"""The handler of a command or reaction. Returns the bridge's answer, if there is one. Raises
Refused with the reason when it cannot be done."""


class Needs(Enum):
    """What to fetch from the homeserver before a handler runs, as it runs in a transaction."""

    TARGET = auto()
    """The current version of the event it replies to or reacts to."""
    TIME_ZONE = auto()
    SENDER_NAME = auto()
    """The display name of the sender."""


@dataclass(frozen=True, slots=True)
class CommandSpec(Generic[Context]):
    """One command in one kind of room."""

    name: str
    """The command's words without prefix, for example `reply` or `inbox add`."""
    room: Role
    arguments: str
    help: str
    act: Act[Context]
    needs: frozenset[Needs] = field(default_factory=frozenset)
    names_conversation: bool = False
    """Whether, in the queue room, its argument is the number of a conversation."""
    works_after_merge: bool = False
    """Whether it also works in the old room of a conversation that was merged into another."""
    is_answer: bool = False
    """Whether it answers a question of the bridge. Such an answer is ignored when it was sent
    before a backup was restored."""

    example: str = ""
    """An example without prefix, which `!help` shows for this command alone."""

    @property
    def usage(self) -> str:
        return f"{self.name} {self.arguments}".rstrip()

    @property
    def word(self) -> str:
        """The first word of the command."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class ReactionSpec:
    """One reaction, to a message of a person or to a post of the bridge."""

    emoji: str
    act: Act[CommandContext]
    on: Shows | None = None
    """The kind of the bridge's post to which the reaction applies; on any other message it is
    ignored, because people use ❌ and ✅ there, too. If None, it applies to messages of agents,
    and on other messages a notice says so."""
    help: str = ""
    """Its text in `!help`; empty where another reaction's text covers it."""
    needs: frozenset[Needs] = field(default_factory=frozenset)
    is_answer: bool = False
