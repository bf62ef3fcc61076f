"""Landlock, for one decoder: it reads its libraries and its file, and writes into its own folder, no more.

Linux 5.13 and later has it, for processes without privileges too; gVisor and some container hosts do not.
Numbers and layouts are those of Linux's `landlock.h`. Later versions also close TCP, and signals and
abstract sockets that lead out of the decoder.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every machine
ASK_VERSION = 1
BENEATH_PATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
CHANGE_FOLDERS = sum(1 << bit for bit in range(4, 13))  # to make or remove any kind of entry
MAKE_DEVICES = 1 << 6 | 1 << 11  # files that stand for a terminal, a disk, the memory
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | (CHANGE_FOLDERS & ~MAKE_DEVICES) | REFER
TCP = 0b11  # to bind and to connect
OUTWARD = 0b11  # abstract sockets and signals

WITH_REFER, WITH_TRUNCATE, WITH_TCP, WITH_IOCTL, WITH_OUTWARD = 2, 3, 4, 5, 6  # versions


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict(*, read: Sequence[str], write: Sequence[str], execute: Sequence[str]) -> bool:
    """Leaves this process these files and folders, and no others; False if the kernel does not do it.

    Needs "no new privileges". A path that is not there is left out.
    """
    if sys.platform != "linux":
        return False
    version = _call(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    handled = _known_rights(version)
    ruleset = _Ruleset(handled, TCP if version >= WITH_TCP else 0, OUTWARD if version >= WITH_OUTWARD else 0)
    size = 24 if version >= WITH_OUTWARD else 16 if version >= WITH_TCP else 8
    descriptor = _call(CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if descriptor < 0:
        return False
    try:
        rules = ((read, READ), (write, WRITE), (execute, READ | EXECUTE), (("/dev/null",), READ | WRITE_FILE))
        for paths, rights in rules:
            for path in paths:
                _allow(descriptor, path, rights & handled)
        return _call(RESTRICT_SELF, descriptor, 0, 0) == 0
    finally:
        os.close(descriptor)


def _known_rights(version: int) -> int:
    later = (WITH_REFER, REFER), (WITH_TRUNCATE, TRUNCATE), (WITH_IOCTL, IOCTL_DEV)
    return READ | WRITE_FILE | EXECUTE | CHANGE_FOLDERS | sum(bit for since, bit in later if version >= since)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with suppress(OSError):
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(opened).st_mode):
                rights &= ON_A_FILE
            _call(ADD_RULE, ruleset, BENEATH_PATH, ctypes.byref(_PathRule(rights, opened)), 0)
        finally:
            os.close(opened)


def _call(number: int, *arguments: object) -> int:
    """A system call for which the C library has no function; negative if it failed."""
    return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *arguments))
