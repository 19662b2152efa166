"""How many connections an address may hold, and begin in a minute, at the SMTP listener.

The numbers are mox's: wider networks may have three and nine times as many. Pure but for `now`.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from collections.abc import Callable, Sequence

AT_ONCE, A_MINUTE = 30, 300
WIDER = (1, 3, 9)
PREFIXES = {4: (32, 26, 21), 6: (64, 48, 32)}
TOTAL = 1000
"""Connections at once, of everybody."""
MINUTE = 60.0


class Guard:
    """Counts connections by network."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` returns seconds of a clock that never goes back."""
        self._now = now
        self._held: Counter[str] = Counter()
        self._begun: dict[str, deque[float]] = {}
        self._total = 0

    def admits(self, address: str) -> bool:
        """Whether a connection from an address may go on; if so, it counts until `leave`."""
        networks, now = networks_of(address), self._now()
        self._forget(now)
        for factor, network in zip(WIDER, networks, strict=True):
            begun = self._begun.get(network, ())
            if self._held[network] >= AT_ONCE * factor or len(begun) >= A_MINUTE * factor:
                return False
        if self._total >= TOTAL:
            return False
        self._total += 1
        for network in networks:
            self._held[network] += 1
            if not is_loopback(address):  # our own mail server may hand over what it has
                self._begun.setdefault(network, deque()).append(now)
        return True

    def leave(self, address: str) -> None:
        """A connection that was admitted has ended."""
        self._total -= 1
        for network in networks_of(address):
            self._held[network] -= 1
            if self._held[network] <= 0:
                del self._held[network]

    def _forget(self, now: float) -> None:
        for network, begun in list(self._begun.items()):
            while begun and now - begun[0] > MINUTE:
                begun.popleft()
            if not begun:
                del self._begun[network]


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def networks_of(address: str) -> Sequence[str]:
    """The networks of an address, from narrow to wide; an address of no kind is its own."""
    try:
        plain = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return (address, address, address)
    if isinstance(plain, ipaddress.IPv6Address) and plain.ipv4_mapped is not None:
        plain = plain.ipv4_mapped
    return [
        str(ipaddress.ip_network(f"{plain}/{prefix}", strict=False))
        for prefix in PREFIXES[plain.version]
    ]
