"""seccomp: refuses system calls that parsing a mail never needs, with EPERM (seccomp(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

SET_SECCOMP, MODE_FILTER = 22, 2
NO_CALL = -1

# Name: (number on x86-64, on aarch64); NO_CALL where that machine has no such call.
NEVER = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242),
    "execve": (59, 221), "execveat": (322, 281),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "creat": (85, NO_CALL), "openat2": (437, 437), "open_by_handle_at": (304, 265),
    "unlink": (87, NO_CALL), "unlinkat": (263, 35), "rename": (82, NO_CALL),
    "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, NO_CALL), "mkdirat": (258, 34),
    "rmdir": (84, NO_CALL), "link": (86, NO_CALL), "linkat": (265, 37), "symlink": (88, NO_CALL),
    "symlinkat": (266, 36), "mknod": (133, NO_CALL), "mknodat": (259, 33),
    "chmod": (90, NO_CALL), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, NO_CALL), "fchown": (93, 55), "lchown": (94, NO_CALL), "fchownat": (260, 54),
    "truncate": (76, 45), "ftruncate": (77, 46), "fallocate": (285, 47),
    "utime": (132, NO_CALL), "utimes": (235, NO_CALL), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "splice": (275, 76),
    "mount": (165, 40), "umount2": (166, 39), "move_mount": (429, 429), "fsopen": (430, 430),
    "open_tree": (428, 428), "pivot_root": (155, 41), "chroot": (161, 51), "chdir": (80, 49),
    "unshare": (272, 97), "setns": (308, 268),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "fanotify_init": (300, 262), "inotify_init1": (294, 26),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
    "reboot": (169, 142), "sethostname": (170, 161), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "setuid": (105, 146), "setresuid": (117, 147),
    "setpgid": (109, 154), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
}  # fmt: skip
REFUSED_ONCE_LIMITED = {
    "fork": (57, NO_CALL), "vfork": (58, NO_CALL), "clone": (56, 220), "clone3": (435, 435),
    "prlimit64": (302, 261), "setrlimit": (160, 164), "setpriority": (141, 140),
}  # fmt: skip
"""Calls that fork children and set limits, refused once a child has its limits: limits and
priorities could be those of other processes, too."""
OPENING = {"open": (2, NO_CALL, 1), "openat": (257, 56, 2)}
"""Calls that open a file: numbers as above, and the index of the argument with the flags."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""(column of the tables above, AUDIT_ARCH value of the machine in linux/audit.h)."""
X32 = 0x40000000
"""From this number on, x86-64 has all calls again, for the x32 ABI."""

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(*, bounded: bool) -> bool:
    """Refuse the calls in NEVER and opening files for writing; with `bounded`, for a child that has
    its limits, the calls in NEVER_AGAIN. False on machines that are not in the tables. Needs
    no_new_privs.

    Raises OSError where the kernel has no seccomp.
    """
    if platform.machine() not in MACHINES:
        return False
    column, machine = MACHINES[platform.machine()]
    calls = REFUSED_ONCE_LIMITED if bounded else NEVER
    numbers = [each[column] for each in calls.values() if each[column] != NO_CALL]
    opening = [] if bounded else [
        (each[column], each[2]) for each in OPENING.values() if each[column] != NO_CALL
    ]  # fmt: skip
    code = _filter(machine, numbers, opening)
    if _libc.prctl(SET_SECCOMP, MODE_FILTER, ctypes.byref(_Program(len(code) // 8, code)), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    return True


def _filter(machine: int, numbers: list[int], opening: list[tuple[int, int]]) -> bytes:
    """A classic BPF program (linux/filter.h); each step: (code, jump if true, jump if false,
    operand)."""
    steps = [
        (LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, machine), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, REFUSE),
    ]  # fmt: skip
    for number in numbers:
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    for number, argument in opening:
        steps += [
            (EQUAL, 0, 4, number),
            (LOAD, 0, 0, FIRST_ARGUMENT + 8 * argument), (ANY_BIT, 0, 1, WRITING),
            (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW),
        ]  # fmt: skip
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)
