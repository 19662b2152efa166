"""Reports as text and as CSV: mails received and answered, and times to answer and resolve."""

from __future__ import annotations

import csv
import html
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.chat.admin import duration
from bridge.chat.render import text_message
from bridge.model import Content, Timing

MAX_TAGS = 20
HEAD = ("received", "answered", "first answer median", "first answer p90", "resolved",
        "resolution median", "resolution p90")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """All numbers of one inbox, or of one tag, for a period."""

    name: str
    received: Sequence[Timing]
    answered: Sequence[Timing]
    first: Sequence[Timing]
    resolved: Sequence[Timing]

    def tagged(self, tag: str) -> Counted:
        """The numbers of conversations with a tag."""
        parts = (self.received, self.answered, self.first, self.resolved)
        return Counted(tag, *([each for each in part if tag in each.tags] for part in parts))

    @property
    def tags(self) -> list[str]:
        """The most used tags, at most MAX_TAGS, in alphabetical order."""
        used: dict[str, int] = {}
        for each in (*self.received, *self.resolved):
            for tag in each.tags:
                used[tag] = used.get(tag, 0) + 1
        return sorted(sorted(used, key=lambda tag: (-used[tag], tag))[:MAX_TAGS])


def median_and_p90(took: Sequence[Timing]) -> tuple[float, float] | None:
    """(median, p90) in seconds; None for no values. The p90 is the smallest value that nine tenths
    of the values do not exceed."""
    seconds = sorted(max(0.0, each.seconds) for each in took)
    if not seconds:
        return None
    return statistics.median(seconds), seconds[-(-len(seconds) * 9 // 10) - 1]


def _times(took: Sequence[Timing]) -> str:
    """`median 40 min, p90 3 h`; empty for no values."""
    found = median_and_p90(took)
    return "" if found is None else f"median {duration(found[0])}, p90 {duration(found[1])}"


def _line(of: Counted) -> str:
    parts = [f"{len(of.received)} received", f"{len(of.answered)} answered"]
    if of.first:
        parts.append(f"first answer {_times(of.first)}")
    if of.resolved:
        parts.append(f"{len(of.resolved)} resolved, {_times(of.resolved)}")
    return " · ".join(parts)


def text(title: str, counted: Sequence[Counted]) -> Content:
    """The report as a message, short enough for narrow columns."""
    lines, items = [title], []
    for inbox in counted:
        lines.append(f"{inbox.name}: {_line(inbox)}")
        tags = [(tag, _line(inbox.tagged(tag))) for tag in inbox.tags]
        lines += [f"· {tag}: {line}" for tag, line in tags]
        inner = "".join(f"<li>🏷 {html.escape(tag)}: {line}</li>" for tag, line in tags)
        items.append(
            f"<li><strong>{html.escape(inbox.name)}</strong>: {_line(inbox)}"
            f"{f'<ul>{inner}</ul>' if inner else ''}</li>"
        )
    formatted = f"<strong>{html.escape(title)}</strong><ul>{''.join(items)}</ul>"
    return text_message("\n".join(lines), formatted, notice=True)


def table(counted: Sequence[Counted]) -> bytes:
    """The report as CSV (RFC 4180), times in seconds."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("inbox", "tag", *HEAD))
    for inbox in counted:
        writer.writerow((_plain(inbox.name), "", *_row(inbox)))
        for tag in inbox.tags:
            writer.writerow((_plain(inbox.name), _plain(tag), *_row(inbox.tagged(tag))))
    return file.getvalue().encode("utf-8-sig")  # spreadsheets know UTF-8 by the byte order mark


def _row(of: Counted) -> tuple[object, ...]:
    first, resolved = median_and_p90(of.first), median_and_p90(of.resolved)
    return (
        len(of.received), len(of.answered), *_rounded(first), len(of.resolved), *_rounded(resolved)
    )  # fmt: skip


def _rounded(found: tuple[float, float] | None) -> tuple[object, object]:
    return ("", "") if found is None else (round(found[0]), round(found[1]))


def _plain(cell: str) -> str:
    """A cell that no spreadsheet reads as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell


def stats(
    name: str, waiting: int, free: int, today: Counted, week: Counted, open_: Sequence[str]
) -> str:
    """The answer to `!stats`; `open_` has a line for each agent with their open conversations."""
    lines = [
        f"{name}: {waiting} {'waits' if waiting == 1 else 'wait'} for an answer, {free} not taken",
        f"Today: {len(today.received)} received, {len(today.answered)} answered",
        f"Last 7 days: {_line(week)}",
    ]
    return "\n".join([*lines, *open_])
