"""Split a mail into its new text and its quoted history."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.mail import layout
from bridge.mail.fold import fold
from bridge.mail.forwarded import PREFIX, begins_thread
from bridge.mail.html import parse_tree, to_matrix, to_text
from bridge.mail.line import Line
from bridge.model import Mail

MAX_INPUT = 300_000
"""Characters above which nothing is folded, so that hostile mail cannot take much time."""


@dataclass(frozen=True, slots=True)
class Body:
    """A mail's text and its HTML for Matrix, each split into new content and history."""

    text: str
    history: str
    html: str
    html_history: str
    only_signature: bool = False
    """Whether the history is a signature, with nothing of earlier mails."""
    whole: str = ""
    """The whole text, if it may be too long for one event; otherwise empty."""


def split(mail: Mail) -> Body:
    """Separate the new content of a mail from its history; without new content, all of it is new.

    Every line of the mail is in one of the two, in the original order.
    """
    how = {"forwarded": PREFIX.match(mail.subject) is not None, "first": begins_thread(mail)}
    text, history, signs = _split_text(mail.text, how)
    if not mail.html:
        return Body(text, history, "", "", signs)
    new, old, signs_html = _split_html(mail.html, how)
    if old and not history:
        said, earlier = to_text(new), to_text(old)
        if _words(text) <= _words(f"{said} {earlier}"):  # else the text says more than the HTML
            text, history = said, earlier
    pictures = {each.content_id: each.name for each in mail.attachments if each.content_id}
    return Body(
        text or mail.text, history if text else "", to_matrix(new, pictures),
        to_matrix(old, pictures), signs_html if old else signs,
    )  # fmt: skip


def _words(text: str) -> set[str]:
    """The words of a text, without the URLs of links and pictures."""
    return set(re.findall(r"\w+", re.sub(r"(?:https?://|cid:|mailto:)\S+", " ", text)))


def _split_text(text: str, how: Mapping[str, bool]) -> tuple[str, str, bool]:
    """(new text, history, whether that is only a signature)."""
    if len(text) > MAX_INPUT:
        return text.strip(), "", False
    rows = text.split("\n")
    folded = fold([Line(row) for row in rows], **how)
    new = [row for row, hidden in zip(rows, folded.hidden, strict=True) if not hidden]
    old = [row for row, hidden in zip(rows, folded.hidden, strict=True) if hidden]
    return "\n".join(new).strip(), "\n".join(old).strip(), folded.only_signature


def _split_html(html: str, how: Mapping[str, bool]) -> tuple[str, str, bool]:
    """(new HTML, history, whether that is only a signature)."""
    if len(html) > MAX_INPUT:
        return html, "", False
    tree = parse_tree(html)
    rows = layout.rows(tree)
    folded = fold([row.line() for row in rows], **how)
    pieces = layout.cut(tree, rows, folded.hidden)
    new = "\n".join(piece for hidden, piece in pieces if not hidden)
    old = "\n".join(piece for hidden, piece in pieces if hidden)
    return new, old, folded.only_signature
