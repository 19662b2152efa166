"""Finds unused ports, outside the range from which the kernel gives ports to connections."""

from __future__ import annotations

import fcntl
import functools
import itertools
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

FIRST, PARTS, PART = 12_000, 40, 500
"""Each process takes ports of its own part of the range, so that no other process picks the same
port before we use it."""


def free_ports(count: int) -> list[int]:
    """Distinct free ports on 127.0.0.1 that were not returned to this process recently."""
    ports = _own_ports(os.getpid())
    return list(itertools.islice((port for port in ports if _is_free(port)), count))


@functools.cache
def _own_ports(pid: int) -> Iterator[int]:
    """The ports of the first part that nobody has, over and over; of a part by chance where all are
    taken."""
    parts = random.sample(range(PARTS), PARTS)
    part = next((each for each in parts if _take(each)), parts[0])
    first, start = FIRST + part * PART, random.randrange(PART)  # noqa: S311 - no secret
    return (first + turn % PART for turn in itertools.count(start))


def _take(part: int) -> bool:
    """Lock a part of the range until this process ends."""
    try:
        path = Path(tempfile.gettempdir()) / f"postroom-ports-{part}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:  # somebody else's
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
