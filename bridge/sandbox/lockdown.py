"""What the process that reads mail gives up: its user, files, network, other processes.

What of it holds depends on the kernel and on who started the bridge; `postroom check` says it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sysconfig
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

import bridge
from bridge.sandbox import landlock, seccomp

NO_NEW_PRIVILEGES = 38
NOBODY = 65534
USER, LANDLOCK, SECCOMP = "another user", "Landlock", "seccomp"
OFFERS = (USER, LANDLOCK, SECCOMP)
MEMORY = 1024 * 1024 * 1024
"""Bytes of address space, libraries included; a mail of 50 MB takes about 600 MB of it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading one mail may take: seconds of processor time, and of any time."""

    processor: int
    wall: int


SMALL, LARGE = Bounds(1, 60), Bounds(25, 240)
"""Of ordinary mails, and of those that are large or odd. The wall is generous: a busy machine may
give them little of its processor."""


def enter(offers: tuple[str, ...] = OFFERS) -> tuple[str, ...]:
    """Give up, for this process and those it forks, everything but reading the program's own
    files. Returns which of `offers` hold; there is no way back."""
    held = [USER] if USER in offers and change_user() else []
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    with contextlib.suppress(OSError):  # a kernel that knows it and has it switched off
        if LANDLOCK in offers and landlock.restrict(readable()):
            held.append(LANDLOCK)
    with contextlib.suppress(OSError):
        if SECCOMP in offers and seccomp.refuse(bounded=False):
            held.append(SECCOMP)
    return tuple(held)


def described(held: tuple[str, ...]) -> str:
    """What holds, for `postroom check`."""
    lacks = [offer for offer in (LANDLOCK, SECCOMP) if offer not in held]
    text = "in a process of its own, with limits of time and memory"
    if USER in held:
        text += ", as the user nobody"
    if LANDLOCK in held:
        text += "; Landlock keeps it from all files but the program's own and from other processes"
    if SECCOMP in held:
        text += "; seccomp keeps it from writing, connecting and starting programs"
    if lacks:
        text += f"; this kernel does not offer {' and '.join(lacks)}"
    return text


def readable() -> list[Path]:
    """The files of Python, its libraries and the bridge, and of time zones: some are only read
    when a mail needs them. No folder that a configuration or a key lies in."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [Path(sysconfig.get_path(name)) for name in names]
    folders += [Path(os.__file__).parent, Path(bridge.__file__).parent]
    folders += map(Path, zoneinfo.TZPATH)
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def change_user() -> bool:
    """Become nobody, where we are root and nobody can read the program's files; False elsewhere."""
    if os.geteuid() != 0 or not all(_is_open(folder) for folder in readable()):
        return False
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    return True


def _is_open(folder: Path) -> bool:
    """Whether every user may go into a folder."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.resolve().parents))


def bound(bounds: Bounds) -> None:
    """Limits of the process that reads one mail."""
    seconds = bounds.processor
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))
    signal.alarm(bounds.wall)
    with contextlib.suppress(OSError):  # root may fork whatever RLIMIT_NPROC says
        seccomp.refuse(bounded=True)
