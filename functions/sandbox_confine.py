"""What a decoder's process gives up before it reads a file; none of it can be had back.

The limits hold everywhere. Landlock (which files) and seccomp (which system calls) hold where the kernel
has them and lets us use them, which not every container host does: without them a decoder that was taken
over still has no key, no privileges and no time, but can reach the network and other files of its user.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from functions import sandbox_capabilities, sandbox_landlock, sandbox_seccomp

PR_SET_NO_NEW_PRIVS = 38
OPEN_FILES = 256
SPARE_PROCESSES = 128
MEGABYTE = 1024 * 1024
SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/opt", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"),
    *("/etc/localtime", "/etc/fonts", "/etc/mime.types"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory"),
    *("/sys/devices/system/cpu", "/sys/fs/cgroup", "/dev/urandom", "/dev/random", "/dev/zero"),
)
CODE = frozenset((".py", ".pyc", ".so", ".zip"))


def confine(request: dict[str, Any], readable: Sequence[str]) -> None:
    """Sets the limits for this process and all it may start, then closes what the kernel can close."""
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    seconds = request["cpu_seconds"]
    limit(resource.RLIMIT_AS, request["memory_mb"] * MEGABYTE)
    limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    limit(resource.RLIMIT_FSIZE, request["file_bytes"])
    limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    limit(resource.RLIMIT_CORE, 0)
    limit_processes()
    sandbox_capabilities.give_up()
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; here it has to end the process
    starts_programs = request["starts_programs"]
    sandbox_landlock.restrict(
        read=(*readable, "/proc/self", request["source"]),
        write=(request["private"], *request["writable"]),
        execute=SYSTEM if starts_programs else (),
    )
    sandbox_seccomp.install(may_start_programs=starts_programs)


def what_is_missing(readable: Sequence[str]) -> list[str]:
    """The names of the locks that do not close on this machine, tried out in a process of its own."""
    probe = os.fork()
    if probe == 0:
        missing = 4
        try:
            ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            missing = 0 if sandbox_landlock.restrict(read=readable, write=(), execute=()) else 1
            missing += 0 if sandbox_seccomp.install(may_start_programs=False) else 2
        finally:
            os._exit(missing)
    status = os.waitstatus_to_exitcode(os.waitpid(probe, 0)[1])
    return [name for name, bit in (("landlock", 1), ("seccomp", 2)) if status & (bit | 4) or status < 0]


def readable_paths() -> list[str]:
    """Where programs, libraries and our own code lie; of a folder with other things in it, only the code."""
    installed = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = [*SYSTEM, *sorted(installed)]
    for entry in map(Path, sys.path):
        if entry.is_file() or any(entry.is_relative_to(prefix) for prefix in installed):
            found.append(str(entry))
        elif entry.is_dir():
            found += (str(path) for path in entry.iterdir() if _is_code(path))
    return [path for path in dict.fromkeys(found) if path != "/" and Path(path).exists()]


def _is_code(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return any(path.glob("*.py")) if path.is_dir() else path.suffix in CODE


def limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Lowers a limit; one that is lower already stays."""
    ceiling = resource.getrlimit(kind)[1]
    unlimited = resource.RLIM_INFINITY
    wanted = soft if hard is None else hard
    allowed = wanted if ceiling == unlimited else min(wanted, ceiling)
    resource.setrlimit(kind, (min(soft, allowed), allowed))


def limit_processes() -> None:
    """Bounds forking for an ordinary user; the kernel exempts root, whom only the other locks stop.

    The limit counts every thread of the user, some of them invisible from inside a container, so it is
    probed: where not even one thread can be started under it, it would break the decoders and is left out.
    """
    user = os.getuid()
    if user == 0:
        return
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    wanted = SPARE_PROCESSES + count_threads(user)
    if before[1] != resource.RLIM_INFINITY:
        wanted = min(wanted, before[1])
    resource.setrlimit(resource.RLIMIT_NPROC, (wanted, before[1]))
    try:
        probe = threading.Thread(target=int)
        probe.start()
        probe.join()
    except RuntimeError:
        resource.setrlimit(resource.RLIMIT_NPROC, before)
    else:
        resource.setrlimit(resource.RLIMIT_NPROC, (wanted, wanted))


def count_threads(user: int) -> int:
    """Root's count too: to whom processes that hide from their own user seem to belong."""
    count = 0
    with os.scandir("/proc") as processes:
        for process in processes:
            try:
                if process.name.isdecimal() and process.stat().st_uid in (user, 0):
                    count += Path(process.path, "task").stat().st_nlink - 2
            except OSError:
                continue  # it ended meanwhile
    return count
