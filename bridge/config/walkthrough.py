"""The walk-through of `!inbox add`: which question comes next, or again, and its answer. Pure."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from bridge.config.inbox_form import Values
from bridge.config.questions import STEPS
from bridge.config.step import NO_OAUTH, Draft, Question
from bridge.model import Refused

YES = ("ok", "yes", "y", "ja", "oui", "same")
EXPLAIN, BACK, STOP = ("?", "？", "help"), ("back",), ("stop", "cancel")
SAID = frozenset((*YES, *EXPLAIN, *BACK, *STOP, "no"))
"""Words that answer the walk-through itself, and are no password and no name."""


def word(text: str, prefix: str = "!") -> str:
    """The word of SAID that a text is, perhaps said as a command; empty for any other text."""
    said = text.strip().casefold()
    plain = said.removeprefix(prefix).strip()
    is_command = plain == "help" and said != plain  # that is asked for all commands
    return plain if plain in SAID and not is_command else ""


def _nothing_more(
    values: Mapping[str, Any], secrets: Mapping[str, str]
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    return values, secrets


Whole = Callable[
    [Mapping[str, Any], Mapping[str, str]], tuple[Mapping[str, Any], Mapping[str, str]]
]


def before(
    values: Mapping[str, Any],
    secrets: Mapping[str, str],
    key: str,
    oauth: Mapping[str, str] = NO_OAUTH,
    whole: Whole = _nothing_more,
) -> tuple[Values, dict[str, str]] | None:
    """Values and secrets without the last answer before the question about `key`, so that it is
    asked again; None where there is none. `whole` adds what needs no answer, as another says it."""
    keys = [step.key for step in STEPS]
    for step in reversed(STEPS[: keys.index(key)]):
        if step.undo is None:
            continue
        left = step.undo(copy.deepcopy(dict(values)))
        kept = {name: token for name, token in secrets.items() if name not in step.drops}
        asks = step.ask(Draft(*whole(left, kept), oauth)) is not None
        if (left, kept) != (values, secrets) and asks:
            return left, kept
    return None


def next_question(
    values: Mapping[str, Any], secrets: Mapping[str, str], oauth: Mapping[str, str] = NO_OAUTH
) -> Question | None:
    """The first question about a draft inbox that is not answered; None if it is complete.
    `oauth`: see Draft."""
    questions = (step.ask(Draft(values, secrets, oauth)) for step in STEPS)
    return next((question for question in questions if question is not None), None)


def answer(values: Mapping[str, Any], question: Question, text: str) -> Values:
    """The values with the answer to a question. Raises Refused with the fault if it has to be asked
    again. A password is not stored among the values, and is not checked here."""
    text = (question.suggestion or text) if text.casefold() in YES else text
    if question.choices and text not in question.choices:
        raise Refused(f"Say ok, or one of {', '.join(question.choices)}.")
    (step,) = (step for step in STEPS if step.key == question.key)
    return step.take(copy.deepcopy(dict(values)), text)
