"""How much the files of one mail may weigh."""

from __future__ import annotations

from collections.abc import Sequence


def megabytes(size: int) -> str:
    """`2.1 MB`, `12 kB`."""
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB".replace(".0 MB", " MB")


def over(files: Sequence[tuple[str, int]], limit: int) -> str:
    """What to say of (name, bytes) that together are over `limit` bytes; empty when they are not.
    The largest is named: without it the mail may do."""
    total = sum(size for _, size in files)
    if total <= limit:
        return ""
    name, size = max(files, key=lambda each: each[1])
    others = f", and all files {megabytes(total)}" if len(files) > 1 else ""
    return (
        f"{name} has {megabytes(size)}{others}: over this inbox's limit of {megabytes(limit)} for a"
        " mail. Send less, or a link."
    )
