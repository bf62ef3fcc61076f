"""What root may do beyond other users, given up for one decoder: it has none of these powers over the machine.

A worker should not run as root, but one that does would hand its decoders the clock, device files, which are
a way around Landlock, and other users' processes. Kept is only to read files of other owners, because the
code may be another's; which files, is for Landlock to say. Numbers and layouts are those of Linux's
`capability.h`.
"""

from __future__ import annotations

import ctypes
import sys

VERSION = 0x20080522
READ_SEARCH = 1 << 2  # CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Half(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def give_up() -> None:
    """For this process and, with "no new privileges", for all that it starts; changes nothing for others."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    header, halves = _Header(VERSION, 0), (_Half * 2)()
    if library.capget(ctypes.byref(header), halves) != 0:
        return
    kept = halves[0].permitted & READ_SEARCH
    library.capset(ctypes.byref(header), (_Half * 2)(_Half(kept, kept, 0), _Half(0, 0, 0)))
