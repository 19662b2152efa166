"""Sizes of files as text, and the limit on the files of one mail."""

from __future__ import annotations

from collections.abc import Sequence


def size(number: int) -> str:
    """`78 bytes`, `12 kB`, `3.4 MB`."""
    if number < 1000:
        return f"{number} bytes"
    if number < 1_000_000:
        return f"{number / 1000:.0f} kB"
    return f"{number / 1_000_000:.1f} MB".replace(".0 MB", " MB")


def over(files: Sequence[tuple[str, int]], limit: int) -> str:
    """The refusal of `files`, (name, bytes) each, if their total is over `limit` bytes; otherwise
    empty. It names the largest file, because the mail may fit without it."""
    total = sum(weight for _, weight in files)
    if total <= limit:
        return ""
    name, weight = max(files, key=lambda each: each[1])
    others = f", and all files {size(total)}" if len(files) > 1 else ""
    return (
        f"{name} has {size(weight)}{others}: over this inbox's limit of {size(limit)} for a"
        " mail. Send less, or a link."
    )
