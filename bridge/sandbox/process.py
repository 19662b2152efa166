"""The process in which mail is parsed: `python -m bridge.sandbox.process FD`.

It loads the code for parsing, restricts itself, and forks: each child takes one connection from the
socket FD, parses one mail, answers and ends, so that a mail can neither affect another one nor stop
the process. A few children are forked in advance.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator

from bridge.mail import dkim, reading
from bridge.mail.parse import files
from bridge.sandbox import lockdown

WAITING_CHILDREN = 2
"""Number of children that wait for a mail."""
PID = 4
"""Bytes of the process id that a child reports when it takes a connection."""
LATER = 1000
"""Milliseconds after which a failed fork is tried again."""
GOOD = b"+"
"""The first byte of an answer, followed by 8 bytes with the microseconds of processor time used;
an answer without it means that the child died."""
SAMPLE = b"""\
From: "A, B" <a@example.org>
To: =?utf-8?q?=C3=84?= <b@example.org>
Subject: Re: =?utf-8?b?w4Q=?=
Date: Fri, 20 Nov 2026 09:12:00 +0100
Message-ID: <a@example.org>
In-Reply-To: <b@example.org>
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Hello =C3=84,

-- =20
A

On Fri, 20 Nov 2026 at 09:12, B <b@example.org> wrote:
> Hello
--y
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+SGVsbG8gPGI+w4Q8L2I+PC9wPjxibG9ja3F1b3RlPkhlbGxvPC9ibG9ja3F1b3RlPg==
--y--
--x
Content-Type: application/pdf; name="a.pdf"
Content-Transfer-Encoding: base64

JVBERg==
--x--
"""
"""A mail with the parts and headers that most mails have, to warm up the parser."""
SMALL, LARGE, SIGNED = b"s", b"l", b"k"
"""Sent with each connection: which limits apply."""
BOUNDS = {SMALL: lockdown.SMALL, LARGE: lockdown.LARGE, SIGNED: lockdown.SIGNED}


def answer(request: bytes, held: tuple[str, ...]) -> bytes:
    """The answer to one request: a line of JSON, and the mail.

    `["read", authserv-id, own addresses …]` and `["head", problem, authserv-id, own addresses …]`
    return a mail and its folded text as JSON; `["files"]` each file of the mail after its length in
    8 bytes; `["signed", keys by name]` the domains that have signed it; `["holds"]` the names of
    the restrictions in force.
    """
    head, _, raw = request.partition(b"\n")
    match json.loads(head):
        case ["read", authserv_id, *own]:
            found = reading.read(raw, authserv_id, frozenset(own))
            return reading.RESULT.dump_json(found)
        case ["head", problem, authserv_id, *own]:
            found = reading.given_up(raw, problem, authserv_id, frozenset(own))
            return reading.RESULT.dump_json(found)
        case ["signed", keys]:
            return json.dumps(dkim.signed_by(raw, keys)).encode()
        case ["files"]:
            return b"".join(len(data).to_bytes(8, "big") + data for data in files(raw))
        case ["holds"]:
            return json.dumps(held).encode()
        case other:
            raise ValueError(f"no request: {other}")


def _child(door: socket.socket, taken: int, held: tuple[str, ...]) -> None:
    """Wait for one connection and answer its request. `taken`: pipe to report our process id."""
    kind, handed, _, _ = socket.recv_fds(door, 1, 1)
    if not handed:
        return
    os.write(taken, os.getpid().to_bytes(PID, "big"))
    # malicious code in a mail must not reach the connections of other mails
    door.close()
    os.close(taken)
    os.nice(5 if kind == SMALL else 10)  # after the bridge and the homeserver, which answer people
    with socket.socket(fileno=handed[0]) as client:
        lockdown.bound(BOUNDS[kind])
        with client.makefile("rb") as stream:
            request = stream.read()
        said = answer(request, held)
        took = int(time.process_time() * 1_000_000).to_bytes(8, "big")
        client.sendall(GOOD + took + said)


def serve(door: socket.socket, held: tuple[str, ...]) -> None:
    """Keep AHEAD children waiting for connections on the socket `door`, until it is closed."""
    tell, taken = os.pipe()
    ended, wakes = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # the wakeup fd works only with a handler
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would copy memory pages in each child, which ends soon anyway
    looks = select.poll()
    looks.register(tell, select.POLLIN)
    looks.register(ended, select.POLLIN)
    looks.register(door, select.POLLHUP)
    waiting: set[int] = set()
    while True:
        with contextlib.suppress(OSError):  # fork failed: try again after LATER
            while len(waiting) < WAITING_CHILDREN:
                waiting.add(_forked(door, tell, taken, held))
        patience = None if len(waiting) == WAITING_CHILDREN else LATER
        for ready, _ in looks.poll(patience):
            if ready == tell:
                waiting.discard(int.from_bytes(os.read(tell, PID), "big"))
            elif ready == ended:
                os.read(ended, 1024)
                waiting -= set(_reaped())
            else:
                return


def _forked(door: socket.socket, tell: int, taken: int, held: tuple[str, ...]) -> int:
    """Fork a child that waits for a connection; returns its process id. Raises OSError where
    fork fails."""
    child = os.fork()
    if child:
        return child
    with contextlib.suppress(Exception):
        signal.set_wakeup_fd(-1)
        os.close(tell)
        _child(door, taken, held)
    os._exit(0)


def _reaped() -> Iterator[int]:
    """The process ids of children that ended."""
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            yield child


def main() -> None:
    held = lockdown.enter()
    # parse a sample, so that caches are filled here once, and not in each child again
    for _ in range(2):
        reading.RESULT.dump_json(reading.read(SAMPLE))
    serve(socket.socket(fileno=int(sys.argv[1])), held)


if __name__ == "__main__":
    main()
