"""Restricts the process that parses mail: its user, files, network, and other processes.

Which restrictions are possible depends on the kernel and on the user who started the bridge;
`postroom check` shows them.
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
"""Bytes of address space, including libraries; parsing a mail of 50 MB takes about 600 MB."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits for parsing one mail: seconds of processor time, and of wall-clock time."""

    processor: int
    wall: int


SMALL, LARGE, SIGNED = Bounds(1, 60), Bounds(25, 240), Bounds(5, 120)
"""Limits for ordinary mails, for large or unusual ones, and for
signatures, as dkimpy takes the square of a run of blanks. The wall-clock limit is generous, as a
busy machine may give the process little processor time."""


def enter(offers: tuple[str, ...] = OFFERS) -> tuple[str, ...]:
    """Restrict this process and its children to reading the program's own files, permanently.
    Returns those of `offers` (kinds of restriction) that are in force."""
    held = [USER] if USER in offers and change_user() else []
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    with contextlib.suppress(OSError):  # the kernel has Landlock, but it is switched off
        if LANDLOCK in offers and landlock.restrict(readable()):
            held.append(LANDLOCK)
    with contextlib.suppress(OSError):
        if SECCOMP in offers and seccomp.refuse(bounded=False):
            held.append(SECCOMP)
    return tuple(held)


def restrictions_text(held: tuple[str, ...]) -> str:
    """The restrictions in force, as text for `postroom check`."""
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
    """The folders of Python, its libraries, the bridge and time zones, as some files are read only
    when a mail needs them. None of them contains a configuration or a key."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [Path(sysconfig.get_path(name)) for name in names]
    folders += [Path(os.__file__).parent, Path(bridge.__file__).parent]
    folders += map(Path, zoneinfo.TZPATH)
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def change_user() -> bool:
    """Become the user nobody; False where we are not root, or that user cannot read the program's
    files."""
    if os.geteuid() != 0 or not all(_is_open(folder) for folder in readable()):
        return False
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    return True


def _is_open(folder: Path) -> bool:
    """Whether every user may enter a folder."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.resolve().parents))


def limit(bounds: Bounds) -> None:
    """Set limits of time, memory and files for this process."""
    for kind, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, bounds.processor),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        resource.setrlimit(kind, (value, value))
    signal.alarm(bounds.wall)


def bound(bounds: Bounds) -> None:
    """Set the limits of the process that parses one mail, which starts no other."""
    limit(bounds)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    with contextlib.suppress(OSError):  # needed as RLIMIT_NPROC does not stop root from forking
        seccomp.refuse(bounded=True)
