"""Ports nobody uses, outside the range from which the kernel lends them to connections."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 12_000, 32_000


def free_ports(count: int) -> list[int]:
    """Distinct free ports on 127.0.0.1. One lent to a connection meanwhile would be in the way of
    whoever starts a second time on it."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(FIRST, LAST)  # noqa: S311 - no secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
