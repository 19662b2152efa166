"""The process in which odd mail is read: little memory, little time, no key or connection of the
bridge's, and no file it can write.

`python -m bridge.confined FD` waits at a socket for others, handed over one by one; for each it
forks a child that reads one request, answers and is gone. Loading all this takes longer than most
mails.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys

from bridge.mail import reading
from bridge.mail.parse import part_bytes

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space, libraries included; a mail of 50 MB takes about 600 MB of it."""
CPU, WALL = 25, 30
"""Seconds of processor time, and of any time."""
GOOD, BAD = b"+", b"-"
"""The first byte of an answer; without one the child is gone."""


def confine() -> None:
    """Give up what is not needed to read a mail; there is no way back."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    signal.alarm(WALL)


def answer(request: bytes) -> bytes:
    """The answer to one request: a line of JSON, `["read", authserv-id, own addresses …]` or
    `["part", number]`, and the mail."""
    head, _, raw = request.partition(b"\n")
    match json.loads(head):
        case ["read", authserv_id, *own]:
            return GOOD + reading.RESULT.dump_json(reading.read(raw, authserv_id, frozenset(own)))
        case ["part", number]:
            try:
                return GOOD + part_bytes(raw, number)
            except IndexError as error:
                return BAD + str(error).encode()
        case other:
            return BAD + f"no request: {other}".encode()


def _child(client: socket.socket) -> None:
    confine()
    with client.makefile("rb") as stream:
        request = stream.read()
    client.sendall(answer(request))


def serve(door: socket.socket) -> None:
    """Fork a child for each socket that comes through `door`, until it is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    while True:
        data, handed, _, _ = socket.recv_fds(door, 1, 1)
        if not data:
            return
        if os.fork() == 0:
            door.close()
            with contextlib.suppress(Exception), socket.socket(fileno=handed[0]) as client:
                _child(client)
            os._exit(0)
        os.close(handed[0])


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
