"""Starts the process that parses mail, passes connections to it, and restarts it if it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import structlog

from bridge.model import Transient

log = structlog.get_logger("reader")


class ReadingProcess:
    """`python -m bridge.sandbox.process` as a child process behind a socket; it ends with us."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None

    def start(self) -> None:
        """Start the process, so that it is ready for the first mail. Raises Transient where it
        cannot be started."""
        self._opened()

    def running_process(self) -> object:
        """The running process, started if there is none; another object than before if the process
        ended meanwhile. Raises Transient where it cannot be started."""
        self._opened()
        return self.process

    def connect(self, kind: bytes) -> socket.socket:
        """Our end of a connection to a child, which applies the limits of `kind`. Raises Transient
        where no process can be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            for _ in range(2):
                try:
                    socket.send_fds(self._opened(), [kind], [theirs.fileno()])
                    return ours
                except OSError as error:  # the process ended: start another
                    log.warning("the reading process is gone", error=str(error))
                    self.close()
        ours.close()
        raise Transient("no process can be started to read a mail")

    def close(self) -> None:
        """End the process; the next connection starts another."""
        if self._door is not None:
            self._door.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._door = self.process = None

    def _opened(self) -> socket.socket:
        if self.process is not None and self.process.poll() is not None:
            log.warning("the reading process is gone")
            self.close()
        if self._door is not None:
            return self._door
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                    [sys.executable, "-m", "bridge.sandbox.process", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()], env=environment(), start_new_session=True, cwd="/",
                )  # fmt: skip
        except OSError as error:
            ours.close()
            raise Transient(f"no process can be started to read mail: {error}") from error
        self._door = ours
        return ours


def environment() -> dict[str, str]:
    """The environment of the process: only where our code is, no secret of the bridge's own."""
    path = os.pathsep.join(os.path.abspath(each) for each in sys.path)
    return {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
