"""The process in which odd mail is read: little memory, little time, nothing but pipes.

`python -m bridge.confined read|part …`: the mail on standard input, the answer on standard
output. It has no keys, no connections and no files of the bridge.
"""

from __future__ import annotations

import resource
import sys

from bridge.mail import reading
from bridge.mail.parse import part_bytes

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space, libraries included; a mail of 50 MB takes about 600 MB of it."""
CPU = 25
"""Seconds of processor time."""


def confine() -> None:
    """Give up what is not needed to read a mail; there is no way back."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def main(arguments: list[str]) -> int:
    confine()
    raw = sys.stdin.buffer.read()
    match arguments:
        case ["read", authserv_id, *own]:
            answer = reading.RESULT.dump_json(reading.read(raw, authserv_id, frozenset(own)))
        case ["part", number]:
            answer = part_bytes(raw, int(number))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
