"""Asks name servers; says nothing rather than wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import dns.asyncresolver
import dns.exception
import dns.rdata
import dns.resolver
import structlog

from bridge.model.dns import Question, Records, name_server

log = structlog.get_logger("dns")


class NameServers:
    """Implements ports.NameServers."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        """`servers`: the name servers to ask, as in the settings; empty: the system's."""
        self._servers = servers
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def ask(self, questions: Iterable[Question], seconds: float) -> dict[Question, Records]:
        """The records of each question that was answered, in so many seconds in all."""
        found: dict[Question, Records] = {}
        wanted = list(dict.fromkeys(questions))

        async def ask(question: Question) -> None:
            records = await self._records(question)
            if records is not None:
                found[question] = records

        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for question in wanted:
                    group.create_task(ask(question))
        except TimeoutError:
            log.info("name servers are slow", answered=len(found))
        return {question: found[question] for question in wanted if question in found}

    async def _records(self, question: Question) -> Records | None:
        """None where the name servers give no answer."""
        try:
            answer = await self._asked().resolve(question.name, question.type)
        except dns.resolver.NXDOMAIN:
            return Records(exists=False)
        except dns.resolver.NoAnswer:
            return Records()
        except (dns.exception.DNSException, OSError, ValueError):
            return None
        return Records(tuple(_text(each) for each in answer))

    def _asked(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                found = [name_server(each) for each in self._servers]
                resolver.nameservers = [host for host, _ in found]
                resolver.nameserver_ports = dict(found)
            resolver.cache = dns.resolver.LRUCache(1000)
            self._resolver = resolver
        return self._resolver


def _text(record: dns.rdata.Rdata) -> str:
    """A record as text; the strings of a TXT record are one."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return record.to_text()
