"""How much files weigh, in words, and how much those of one mail may."""

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
    """What to say of (name, bytes) that together are over `limit` bytes; empty when they are not.
    The largest is named: without it the mail may do."""
    total = sum(weight for _, weight in files)
    if total <= limit:
        return ""
    name, weight = max(files, key=lambda each: each[1])
    others = f", and all files {size(total)}" if len(files) > 1 else ""
    return (
        f"{name} has {size(weight)}{others}: over this inbox's limit of {size(limit)} for a"
        " mail. Send less, or a link."
    )
