"""Questions to name servers, and their answers."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

SERVER = re.compile(r"(?:\[([^]]+)\]|([^:\[]+)|([^\[]*:[^\[]*:[^\[]*)$)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for."""

    name: str
    type: Literal["TXT", "MX"] = "TXT"


@dataclass(frozen=True, slots=True)
class Records:
    """The answer to a question."""

    values: tuple[str, ...] = ()
    exists: bool = True
    """Whether there is anything under the name; a name without records may have some below."""


def name_server(spec: str) -> tuple[str, int]:
    """The IP address and the port of a name server, written as `192.0.2.1`, `192.0.2.1:5353`,
    `2001:db8::1` or `[2001:db8::1]:5353`. Raises ValueError."""
    found = SERVER.fullmatch(spec)
    host, port = (found[1] or found[2] or found[3], int(found[4] or 53)) if found else ("", 0)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not 0 < port < 65536:
        raise ValueError(
            f"{spec!r} is no IP address of a name server; write 192.0.2.1 or [2001:db8::1]:53"
        )
    return str(address), port
