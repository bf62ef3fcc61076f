"""seccomp, for one decoder: the system calls that no decoder needs fail as if they were not permitted.

A list of what is refused, not of what is allowed: libraries and kernels change, and a refusal must never
break a decode. What is left is to compute, to read and write files, and to start threads. The filter is a
program for the kernel's packet filter (see seccomp(2) and Linux's `seccomp.h`), assembled here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

PR_SET_SECCOMP = 22
MODE_FILTER = 2
ALLOW = 0x7FFF0000
ERRNO = 0x00050000
# Where the filter finds what it looks at, in bytes: a call's number, the machine, the low half of arguments.
NUMBER, MACHINE, FIRST, SECOND = 0, 4, 16, 24
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

CLONE_THREAD = 0x00010000
CLONE_NAMESPACES = 0x7E020000
OTHER_CALLS = 0x40000000  # x32's numbers start there
SIGNALS_OF_FILES = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: they have the kernel send signals

# The numbers of x86_64 and aarch64; -1 where there is no such call.
REFUSED: dict[str, tuple[int, int]] = {
    # the network
    "socket": (41, 198),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "setpriority": (141, 140),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "ioprio_set": (251, 30),
    # whose a file is and who may open it: Landlock looks at what is opened, not at these
    "chmod": (90, -1),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, -1),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "inotify_init": (253, -1),
    "inotify_init1": (294, 26),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # memory and queues that would outlive the decoder
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # the system
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "setns": (308, 268),
    "unshare": (272, 97),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    # what the kernel's own holes were found in
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
}
PROGRAMS: dict[str, tuple[int, int]] = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, -1),
    "vfork": (58, -1),
}
KILL, TGKILL, PRLIMIT, FCNTL = (62, 129), (234, 131), (302, 261), (72, 25)
CLONE, CLONE3 = (56, 220), (435, 435)


@dataclass(frozen=True)
class Step:
    """One instruction; where to go on is "next", so many steps further ("+2"), or the name of an end."""

    code: int
    value: int
    yes: str = "next"
    no: str = "next"


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Instruction)))


def install(*, may_start_programs: bool) -> bool:
    """Filters this process and all it starts from now on; False if that is not to be had here.

    Needs "no new privileges", and that no other thread runs yet.
    """
    if sys.platform != "linux":
        return False
    column = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if column is None:
        return False
    return enter(list(questions(column, os.getpid(), may_start_programs=may_start_programs)))


def enter(steps: list[Step]) -> bool:
    """Has the kernel ask these questions for every system call, besides those it asks already."""
    assembled = assemble(steps)
    array = (_Instruction * len(assembled))(*(_Instruction(*step) for step in assembled))
    program = _Program(len(assembled), array)
    return bool(ctypes.CDLL(None).prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def questions(column: int, own: int, *, may_start_programs: bool) -> Iterator[Step]:
    """The questions in their order; a call that none of them refuses is allowed."""
    yield Step(LOAD, MACHINE)
    yield Step(EQUAL, (0xC000003E, 0xC00000B7)[column], no="refuse")
    yield Step(LOAD, NUMBER)
    yield Step(AT_LEAST, OTHER_CALLS, yes="refuse")
    refused = REFUSED if may_start_programs else REFUSED | PROGRAMS
    for numbers in refused.values():
        if numbers[column] >= 0:
            yield Step(EQUAL, numbers[column], yes="refuse")
    # Its flags lie in memory, where no filter can look. Told that it is not there, libraries use `clone`.
    yield Step(EQUAL, CLONE3[column], yes="absent")
    for call in (KILL, TGKILL):
        yield from _only_if(call[column], FIRST, (Step(EQUAL, own, yes="allow", no="refuse"),))
    own_limits = (Step(EQUAL, 0, yes="allow"), Step(EQUAL, own, yes="allow", no="refuse"))
    yield from _only_if(PRLIMIT[column], FIRST, own_limits)
    signals = tuple(Step(EQUAL, command, yes="refuse") for command in SIGNALS_OF_FILES)
    yield from _only_if(FCNTL[column], SECOND, (*signals, Step(AT_LEAST, 0, yes="allow")))
    threads = Step(ANY_BIT, CLONE_THREAD, yes="allow", no="allow" if may_start_programs else "refuse")
    yield from _only_if(CLONE[column], FIRST, (Step(ANY_BIT, CLONE_NAMESPACES, yes="refuse"), threads))


def _only_if(call: int, argument: int, steps: tuple[Step, ...]) -> Iterator[Step]:
    """Looks at an argument of one call; the steps have to come to an end."""
    yield Step(EQUAL, call, no=f"+{len(steps) + 1}")
    yield Step(LOAD, argument)
    yield from steps


def assemble(steps: list[Step]) -> list[tuple[int, int, int, int]]:
    """Adds the ends and turns their names into distances, which are at most 255."""
    ends = {"allow": ALLOW, "refuse": ERRNO | errno.EPERM, "absent": ERRNO | errno.ENOSYS}
    places = {name: len(steps) + place for place, name in enumerate(ends)}

    def distance(here: int, name: str) -> int:
        if name == "next":
            return 0
        return int(name) if name.startswith("+") else places[name] - here - 1

    found = [
        (step.code, distance(here, step.yes), distance(here, step.no), step.value)
        for here, step in enumerate(steps)
    ]
    return [*found, *((RETURN, 0, 0, value) for value in ends.values())]
