"""A command or a reaction: where it works, what it says in `!help`, what it needs, what it does.

Each stands beside its act, in its file's COMMANDS and REACTIONS; `events/commands` lists the files.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from bridge.desk.context import CommandContext
from bridge.desk.desk import Desk
from bridge.model import Role, Shows
from bridge.ports import Tx

Context = TypeVar("Context", contravariant=True)
Act = Callable[[Tx, Desk, Context], Awaitable[str | None]]
"""Does it, and returns the answer, if there is one. Raises Refused with what is wrong."""


class Needs(Enum):
    """What is asked of the homeserver before an act, which is a transaction, begins."""

    TARGET = auto()
    """The event it points at, as it is now."""
    TIME_ZONE = auto()
    NAME = auto()
    """How the speaker is called."""


@dataclass(frozen=True, slots=True)
class CommandSpec(Generic[Context]):
    """One command in one kind of room."""

    name: str
    """Its words, as `reply` or `inbox add`."""
    room: Role
    arguments: str
    help: str
    act: Act[Context]
    needs: frozenset[Needs] = field(default_factory=frozenset)
    names_conversation: bool = False
    """In the queue room: its text is a conversation's number."""
    after_merge: bool = False
    """It works in a room whose conversation goes on in another one, too."""
    is_answer: bool = False
    """It answers a question: one that was said before a backup was restored counts no more."""

    @property
    def usage(self) -> str:
        return f"{self.name} {self.arguments}".rstrip()

    @property
    def word(self) -> str:
        """The first of its words."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class ReactionSpec:
    """One reaction, on a message of a person or on something we show."""

    emoji: str
    act: Act[CommandContext]
    on: Shows | None = None
    """What of ours it means something on: people put ❌ and ✅ on ordinary talk, too. None for
    messages of agents; who is no agent is told so there."""
    help: str = ""
    """Where it is not told beside another one's."""
    needs: frozenset[Needs] = field(default_factory=frozenset)
    is_answer: bool = False
