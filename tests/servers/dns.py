"""A name server on 127.0.0.1 with the TXT records that a test gives it."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class DnsServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        """One TXT record by name, in lower case and without a dot at the end."""
        self.records: dict[tuple[str, str], list[str]] = {}
        """Further records by name and type."""
        self.asked: list[str] = []
        self.is_silent = False

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.address = "127.0.0.1:{}".format(self._transport.get_extra_info("sockname")[1])

    async def stop(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        name = str(question.question[0].name).rstrip(".").lower()
        self.asked.append(name)
        if self.is_silent:
            return
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        asked = question.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        values = self.records.get((name, kind), [])
        if kind == "TXT" and name in self.texts:
            values = [self.texts[name]]
        if kind == "TXT":
            values = [
                " ".join(f'"{value[at : at + 250]}"' for at in range(0, len(value), 250))
                for value in values
            ]
        if values:
            answer.answer.append(dns.rrset.from_text_list(asked.name, 60, "IN", kind, values))
        elif not self._is_there(name):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), address)

    def _is_there(self, name: str) -> bool:
        """Whether something is under a name, or below it (RFC 8020)."""
        names = {*self.texts, *(each for each, _ in self.records)}
        return any(each == name or each.endswith(f".{name}") for each in names)
