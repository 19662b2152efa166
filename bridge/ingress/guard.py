"""How many connections an address may hold, and begin in a minute, at the SMTP listener, how many
mails it may bring in one, and how many bytes are held of those that are not stored yet.

The numbers are mox's: wider networks may have three and nine times as many. Pure but for `now`.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Self

AT_ONCE, A_MINUTE = 30, 300
WIDER = (1, 3, 9)
PREFIXES = {4: (32, 26, 21), 6: (64, 48, 32)}
MAILS = 500
"""A minute, of an address."""
BUFFERED = 256_000_000
"""Bytes of mail that is being read; of one network half. A mail that is alone always fits."""
TOTAL = 1000
"""Connections at once, of everybody."""
MINUTE = 60.0


class Guard:
    """Counts connections by network."""

    def __init__(self, now: Callable[[], float], proxies: Iterable[str] = ()) -> None:
        """`now` returns seconds of a clock that never goes back. `proxies`: addresses that bring
        the connections of others, each of which counts once they said whose it is."""
        self._now, self.proxies = now, frozenset(proxies)
        self._held: Counter[str] = Counter()
        self._begun: dict[str, deque[float]] = {}
        self._mails: dict[str, deque[float]] = {}
        self._bytes: Counter[str] = Counter()
        self._total = 0

    def admits(self, address: str) -> bool:
        """Whether a connection from an address may go on; if so, it counts until `leave`."""
        networks, now = networks_of(address), self._now()
        self._forget(now)
        for factor, network in zip(WIDER, networks, strict=True):
            begun = self._begun.get(network, ())
            if address in self.proxies:
                continue
            if self._held[network] >= AT_ONCE * factor or len(begun) >= A_MINUTE * factor:
                return False
        if self._total >= TOTAL:
            return False
        self._total += 1
        for network in networks:
            self._held[network] += 1
            # our own mail server may hand over what it has, a proxy what others bring
            if not (is_loopback(address) or address in self.proxies):
                self._begun.setdefault(network, deque()).append(now)
        return True

    def leave(self, address: str) -> None:
        """A connection that was admitted has ended."""
        self._total -= 1
        for network in networks_of(address):
            self._held[network] -= 1
            if self._held[network] <= 0:
                del self._held[network]

    def takes_mail(self, address: str) -> bool:
        """Whether one more mail of an address may come in this minute; if so, it is counted."""
        if is_loopback(address) or address in self.proxies:
            return True
        self._forget(self._now())
        sent = self._mails.setdefault(networks_of(address)[0], deque())
        if len(sent) >= MAILS:
            return False
        sent.append(self._now())
        return True

    def buffer(self, address: str) -> Buffer:
        """Counts the bytes of a mail of an address while it is read."""
        return Buffer(self._bytes, networks_of(address)[0])

    def _forget(self, now: float) -> None:
        for counted in (self._begun, self._mails):
            for network, times in list(counted.items()):
                while times and now - times[0] > MINUTE:
                    times.popleft()
                if not times:
                    del counted[network]


class Buffer:
    """The bytes of one mail among those of all; a context that gives them back."""

    def __init__(self, held: Counter[str], network: str) -> None:
        self._held, self._network, self._size = held, network, 0

    def grow(self, size: int) -> bool:
        """Whether the mail may be held with so many bytes; if so, they count."""
        others = self._held.total() - self._size
        near = self._held[self._network] - self._size
        if others and (others + size > BUFFERED or near + size > BUFFERED // 2):
            return False
        self._held[self._network] += size - self._size
        self._size = size
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held[self._network] -= self._size
        if self._held[self._network] <= 0:
            del self._held[self._network]


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
