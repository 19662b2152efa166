"""What is new in a mail, and the history it carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import quotequail

from bridge.mail.html import has_text, to_matrix, to_text
from bridge.model import Mail

MAX_INPUT = 200_000
"""Characters; beyond it nothing is folded, so that hostile mail cannot take time."""


@dataclass(frozen=True, slots=True)
class Body:
    """A mail's text and its HTML for Matrix, each split into what is new and the history."""

    text: str
    history: str
    html: str
    html_history: str


def split(mail: Mail) -> Body:
    """Fold the history of a mail, never remove it; with nothing new, everything is shown."""
    text, history = _split_text(mail.text)
    if not mail.html:
        return Body(text, history, "", "")
    new, old = _split_html(mail.html)
    if old:
        text, history = to_text(new), to_text(old)
    return Body(text or mail.text, history if text else "", to_matrix(new), to_matrix(old))


def _split_text(text: str) -> tuple[str, str]:
    if len(text) > MAX_INPUT:
        return text.strip(), ""
    new, old = _cut(
        quotequail.quote(text, quote_intro_line=True), lambda piece: piece.strip() != ""
    )
    return (new.strip(), old.strip()) if new.strip() else (text.strip(), "")


def _split_html(html: str) -> tuple[str, str]:
    if len(html) > MAX_INPUT:
        return html, ""
    try:
        blocks = quotequail.quote_html(html, quote_intro_line=True)
    except Exception:  # noqa: BLE001 - lxml raises its own errors on broken trees
        return html, ""
    new, old = _cut(blocks, has_text)
    return (new, old) if has_text(new) else (html, "")


def _cut(blocks: list[tuple[bool, str]], says_something: Callable[[str], bool]) -> tuple[str, str]:
    """Everything up to the last new block, and the quoted rest: answers written between the
    lines of a quote keep the lines they answer."""
    last = max(
        (i for i, (new, piece) in enumerate(blocks) if new and says_something(piece)), default=-1
    )
    pieces = [piece for _, piece in blocks]
    return "\n".join(pieces[: last + 1]), "\n".join(pieces[last + 1 :])
