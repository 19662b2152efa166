"""Finds unused ports, outside the range from which the kernel gives ports to connections."""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, SLOTS, SLOT = 12_000, 10, 2_000
"""Each process uses its own part of the range, chosen by its process id, so that no other process
picks the same port before we use it."""
_turns: dict[int, itertools.count[int]] = {}


def free_ports(count: int) -> list[int]:
    """Distinct free ports on 127.0.0.1 that were not returned to this process recently."""
    own = os.getpid()
    turn = _turns.setdefault(own, itertools.count(random.randrange(SLOT)))  # noqa: S311 - no secret
    found: list[int] = []
    while len(found) < count:
        port = FIRST + own % SLOTS * SLOT + next(turn) % SLOT
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found
