"""Becomes one part of the local Supabase: a process that cannot outlive the supervisor.

The supervisor starts every part as `python child.py <options as JSON> -- command…`. The steps have to happen
between fork and exec, and in this order: the kernel forgets the parent-death signal when the user changes.
A program of its own rather than `preexec_fn`, which may deadlock in a process that has threads.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def change_user(uid: int, gid: int, capability: int | None) -> None:
    if capability is not None:
        # Keeps capabilities when the user changes, and lets access(2) count them: Postgres asks it about itself.
        call("prctl", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability is not None:
        keep_only(capability)


def keep_only(capability: int) -> None:
    """Permitted must equal ambient: whoever gains capabilities in exec loses its parent-death signal."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    low, high = bit & 0xFFFFFFFF, bit >> 32
    data = (ctypes.c_uint32 * 6)(low, low, low, high, high, high)
    call("capset", ctypes.byref(header), ctypes.byref(data))
    call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def main(arguments: Sequence[str]) -> None:
    options = json.loads(arguments[0])
    command = list(arguments[2:])
    if options["uid"] is not None:
        change_user(options["uid"], options["gid"], options["capability"])
    call("prctl", PR_SET_PDEATHSIG, options["death_signal"], 0, 0, 0)
    if os.getppid() != options["parent"]:
        sys.exit("the supervisor was gone before its part started")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
