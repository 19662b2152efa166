"""Landlock: restricts this process to reading certain files (landlock(7))."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ABI_OF_THIS_KERNEL, BENEATH_A_PATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = ((5, 16), (3, 15), (2, 14), (1, 13))
"""(first ABI version, number of file rights it knows), newest first."""
TCP, SCOPES = (4, 0b11), (6, 0b11)
"""(first ABI version, bits): TCP bind and connect; abstract sockets and signals to processes
outside."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)
    )  # fmt: skip


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def abi() -> int:
    """The Landlock ABI version of this kernel; 0 without Landlock."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, 0, ABI_OF_THIS_KERNEL)))


def restrict(readable: Sequence[Path]) -> bool:
    """Allow this process only to read files below `readable`; forbid TCP, and signals to other
    processes. Returns False where the kernel has no Landlock. Needs no_new_privs.

    Raises OSError when the kernel has Landlock but refuses.
    """
    version = abi()
    if not version:
        return False
    rights = next(count for since, count in FILE_RIGHTS if version >= since)
    rules = _Ruleset(
        files=(1 << rights) - 1,
        network=TCP[1] if version >= TCP[0] else 0,
        scoped=SCOPES[1] if version >= SCOPES[0] else 0,
    )
    size = 8 if version < TCP[0] else 16 if version < SCOPES[0] else 24
    ruleset = _call(CREATE_RULESET, ctypes.byref(rules), size, 0)
    try:
        for path in readable:
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = _Beneath(READ_FILE | (READ_DIR if path.is_dir() else 0), folder)
                _call(ADD_RULE, ruleset, BENEATH_A_PATH, ctypes.byref(rule), 0)
            finally:
                os.close(folder)
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
