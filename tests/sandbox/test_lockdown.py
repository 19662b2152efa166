"""What a child that a mail has taken over tries, and which mechanism stops it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.sandbox import landlock, lockdown
from bridge.sandbox.lockdown import LANDLOCK, SECCOMP, USER
from bridge.sandbox.reader import MailReader
from bridge.sandbox.starter import ReadingProcess, environment

# Each attempt is what stands in a child: it prints "done", or the name of the error.
ATTEMPTS = {
    "write a file": "open(folder + '/new', 'w')",
    "write over a file": "os.open(key, os.O_WRONLY)",
    "append to a file": "open(key, 'ab')",
    "make a folder": "os.mkdir(folder + '/new')",
    "remove a file": "os.remove(key)",
    "rename a file": "os.rename(key, key + '2')",
    "empty a file": "os.truncate(key, 0)",
    "read the key": "open(key).read()",
    "list a folder": "os.listdir(folder)",
    "read what another process holds": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "list processes": "os.listdir('/proc')",
    "signal another process": "os.kill(os.getppid(), 0)",
    "trace another process": "trace(os.getppid())",
    "limit another process": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "slow another process down": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 1)",
    "take processors from another process": "os.sched_setaffinity(os.getppid(), {0})",
    "connect by TCP": "socket.create_connection(('127.0.0.1', port))",
    "listen": "socket.create_server(('127.0.0.1', 0))",
    "send a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', address)",
    "connect to a socket of the machine": "socket.socket(socket.AF_UNIX).connect(door)",
    "start a program": "os.execv('/bin/true', ['true'])",
    "fork": "os.fork() or os._exit(0)",
    "use a namespace": "unshare()",
}
STOPPED_BY = {
    LANDLOCK: {"write a file", "write over a file", "append to a file", "make a folder",
               "remove a file", "rename a file", "empty a file", "read the key", "list a folder",
               "read what another process holds", "list processes", "signal another process",
               "connect by TCP", "listen", "start a program"},
    SECCOMP: {"write a file", "write over a file", "append to a file", "make a folder",
              "remove a file", "rename a file", "empty a file", "signal another process",
              "trace another process", "limit another process", "slow another process down",
              "take processors from another process", "connect by TCP", "listen", "send a datagram",
              "connect to a socket of the machine", "start a program", "fork",
              "use a namespace"},
}  # fmt: skip
PROGRAM = """
import ctypes, json, os, resource, socket, sys
from bridge.sandbox import lockdown
offers, attempt, folder, port, limits = json.loads(sys.argv[1])
key, door, address = folder + '/key', folder + '/door', ('127.0.0.1', port)
libc = ctypes.CDLL(None, use_errno=True)
def called(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), 'refused')
def trace(process):
    called(libc.ptrace(16, process, 0, 0))
def unshare():
    called(libc.unshare(0x10000000))
held = lockdown.enter(tuple(offers))
if limits:
    lockdown.bound(lockdown.SMALL)
try:
    exec(attempt)
    print('done', *held)
except OSError as error:
    print(type(error).__name__, *held)
"""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A folder with a key and a socket in it, and a port somebody listens at."""
    (tmp_path / "key").write_text("the key")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "door"))
        local.listen()
        yield str(tmp_path), tcp.getsockname()[1]


def tried(
    offers: tuple[str, ...], attempt: str, target: tuple[str, int], *, limits: bool = True
) -> list[str]:
    """What came of an attempt, then what holds."""
    order = json.dumps([offers, ATTEMPTS[attempt], *target, limits])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, order], env=environment(), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    return done.stdout.split(maxsplit=1) or ["done", done.stderr]


def offered() -> list[str]:
    """What this machine's kernel has."""
    return [LANDLOCK] * bool(landlock.abi()) + [SECCOMP]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_T57_a_child_taken_over_by_a_mail_gets_at_nothing(
    attempt: str, target: tuple[str, int], record_property: Callable[[str, object], None]
) -> None:
    """Everything at once, as the bridge has it; and then which mechanism by itself stops it."""
    what, held = tried(lockdown.OFFERS, attempt, target)
    assert what in ("PermissionError", "OSError"), f"{attempt}: {what}, though {held} hold"
    stops = [
        offer
        for offer in offered()
        if tried((offer,), attempt, target, limits=offer == SECCOMP)[0] != "done"
    ]
    assert stops, attempt
    for offer in offered():
        if attempt in STOPPED_BY[offer]:
            assert offer in stops, f"{offer} does not stop it: {attempt}"
    record_property("sandbox", f"{attempt:36} {', '.join(stops)}")


def test_without_any_of_it_the_attempts_succeed(target: tuple[str, int]) -> None:
    """The attempts are real ones: they fail because of what the process gave up."""
    for attempt in ("write a file", "read the key", "connect by TCP", "signal another process",
                    "list processes", "fork"):  # fmt: skip
        assert tried((), attempt, target, limits=False)[0] == "done", attempt


def test_another_user_can_do_nothing_of_ours(tmp_path: Path) -> None:
    """As root, where everybody may read the program's files."""
    if os.geteuid() != 0:
        assert lockdown.change_user() is False
        return
    key = tmp_path / "key"
    key.write_text("the key")
    key.chmod(0o600)
    read, write = os.pipe()
    if os.fork() == 0:
        lockdown._is_open = lambda folder: True
        said = [lockdown.change_user()]
        for attempt in (lambda: key.read_text(), lambda: os.kill(os.getppid(), 0),
                        lambda: os.setuid(0)):  # fmt: skip
            try:
                attempt()
                said.append(True)
            except PermissionError:
                said.append(False)
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    assert json.loads(os.read(read, 1000)) == [True, False, False, False]
    os.close(read)


def test_a_folder_nobody_may_enter_keeps_the_user(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    for folder in (tmp_path, inner):
        folder.chmod(0o755)
    shared = all(each.stat().st_mode & 0o001 for each in inner.parents)
    assert lockdown._is_open(inner) is shared
    tmp_path.chmod(0o700)
    assert lockdown._is_open(inner) is False


def test_no_folder_of_a_configuration_can_be_read() -> None:
    folders = lockdown.readable()
    assert folders
    for path in (Path.cwd(), Path.home(), Path("/etc"), Path("/proc"), Path("/")):
        assert not any(path.resolve().is_relative_to(folder.resolve()) for folder in folders), path


async def test_the_reading_process_says_what_holds() -> None:
    process = ReadingProcess()
    try:
        held = await MailReader(process).restrictions()
    finally:
        process.close()
    assert set(offered()) <= set(held) <= {USER, LANDLOCK, SECCOMP}
