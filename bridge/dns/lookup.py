"""Asks name servers for records of text; says nothing rather than wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.resolver
import structlog

log = structlog.get_logger("dns")


class NameServers:
    """Implements ports.NameServers."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        """`servers`: `host` or `host:port` of the name servers to ask; empty: the system's."""
        self._servers = servers
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def texts(self, names: Sequence[str], seconds: float) -> dict[str, str]:
        """The first TXT record of each name that has one, in so many seconds in all."""
        found: dict[str, str] = {}

        async def ask(name: str) -> None:
            record = await self._text(name)
            if record is not None:
                found[name] = record

        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(ask(name))
        except TimeoutError:
            log.info("name servers are slow", asked=len(names), answered=len(found))
        return found

    async def _text(self, name: str) -> str | None:
        try:
            answer = await self._asked().resolve(name, "TXT")
            return b"".join(answer[0].strings).decode("utf-8", "replace")
        except (dns.exception.DNSException, OSError, ValueError):
            return None

    def _asked(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [each.rpartition(":")[0] or each for each in self._servers]
                resolver.nameserver_ports = {
                    each.rpartition(":")[0]: int(each.rpartition(":")[2])
                    for each in self._servers
                    if ":" in each
                }
            resolver.cache = dns.resolver.LRUCache(1000)
            self._resolver = resolver
        return self._resolver
