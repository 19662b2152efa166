"""A name server on 127.0.0.1 with the TXT records that a test gives it."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        """By name, in lower case and without a dot at the end."""
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
        if name in self.texts:
            parts = [self.texts[name][at : at + 250] for at in range(0, len(self.texts[name]), 250)]
            text = " ".join(f'"{part}"' for part in parts)
            answer.answer.append(
                dns.rrset.from_text(question.question[0].name, 60, "IN", "TXT", text)
            )
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), address)
