"""The processes in which untrusted bytes are decoded: a keeper, and its child that decodes.

Started by `sandbox.py` with `python -I` and an empty environment, as a script: it imports nothing of ours
but the decoder it is asked for. The request is one line of JSON on standard input, the answer one line of
JSON on what was standard output; whatever a library prints goes nowhere. The limits are set here, before
the decoder is imported, because code between fork and exec is not safe in a parent with threads.

The keeper adopts every process that loses its parent below it (it is their "subreaper"), so nothing that a
decoder starts can get away from it, neither in a new group nor in a new session. It ends them all when the
decoder ends, when it is told to stop, and when the worker dies. What it cannot prevent is being killed
itself: it runs as the same user as the decoder.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
WATCHED = (signal.SIGTERM, signal.SIGCHLD)
SIGNALLED = 128  # added to the number of the signal that ended the decoder, as shells do
OPEN_FILES = 256
SPARE_PROCESSES = 128


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    request = json.loads(sys.stdin.buffer.readline())
    pipe = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    end_with(request["parent"], signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    decoder = os.fork()
    if decoder:
        os._exit(keep(decoder))
    os.setpgid(0, 0)
    end_with(keeper, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    work(request, pipe)


def keep(decoder: int) -> int:
    """Waits for the decoder's end or the order to stop, ends what it left, and says how it ended."""
    ended = None
    while ended is None and signal.sigwait(WATCHED) == signal.SIGCHLD:
        # Unreaped, its number still names its group.
        ended = os.waitid(os.P_PID, decoder, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    end_all(decoder)
    if ended is None:
        return 0
    return ended.si_status + (0 if ended.si_code == os.CLD_EXITED else SIGNALLED)


def end_all(group: int) -> None:
    """Kills a group and then all children, until none is left: orphans of one round are children in the next."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(group, 0)
        while True:
            for child in children():
                os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def children() -> list[int]:
    """The processes whose parent is this one; dead ones too, until they are waited for."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = file.read_text(errors="replace").rpartition(")")[2].split()[1]
        except OSError:
            continue  # it ended meanwhile
        if int(parent) == os.getpid():
            found.append(int(file.parent.name))
    return found


def work(request: dict[str, Any], pipe: int) -> None:
    """Decodes within the limits and answers."""
    confine(request)
    sys.path[:] = request["path"]
    answer = json.dumps(decode(request)).encode("ascii") + b"\n"
    with os.fdopen(pipe, "wb") as out:
        out.write(answer)


def decode(request: dict[str, Any]) -> dict[str, Any]:
    """Runs the decoder; its own verdict, an exhausted memory and a bug are told apart by `status`."""
    refused = importlib.import_module("handlers.media.refused").Refused
    module, _, function = request["decoder"].partition(":")
    try:
        run = getattr(importlib.import_module(module), function)
        facts = run(Path(request["source"]), Path(request["folder"]), **request["options"])
        json.dumps(facts, allow_nan=False)
    except refused as error:
        return {"status": "refused", "reason": str(error)}
    except MemoryError:
        return {"status": "memory"}
    except Exception:
        return {"status": "error", "reason": traceback.format_exc(limit=-4)[-4000:]}
    return {"status": "ok", "facts": facts}


def prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def end_with(parent: int, by: signal.Signals) -> None:
    """Has the kernel send a signal to this process when its parent dies."""
    prctl(PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:
        os._exit(1)  # it died before it could be watched


def confine(request: dict[str, Any]) -> None:
    """Sets the limits for this process and all it may start; none of them can be raised again."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    memory = request["memory_mb"] * 1024 * 1024
    seconds = request["cpu_seconds"]
    limit(resource.RLIMIT_AS, memory)
    limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    limit(resource.RLIMIT_FSIZE, request["file_bytes"])
    limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    limit(resource.RLIMIT_CORE, 0)
    limit_processes()
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; here it has to end the process


def limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Lowers a limit; one that is lower already stays."""
    ceiling = resource.getrlimit(kind)[1]
    unlimited = resource.RLIM_INFINITY
    wanted = soft if hard is None else hard
    allowed = wanted if ceiling == unlimited else min(wanted, ceiling)
    resource.setrlimit(kind, (min(soft, allowed), allowed))


def limit_processes() -> None:
    """Bounds forking for an ordinary user; the kernel exempts root, who is stopped by the keeper only.

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
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == user:
                count += len(list((process / "task").iterdir()))
        except OSError:
            continue  # it ended meanwhile
    return count


if __name__ == "__main__":
    main()
