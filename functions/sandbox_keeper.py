"""The process between the worker and its decoders: warm for many errands, it forks a fresh decoder for each.

Started by `sandbox_process.py` with an empty environment. It imports the decoders it is asked for, which is
what takes long, but sees nothing of a file: the errand and its answer travel between the worker and the
decoder through descriptors that the keeper passes on unread and closes. So whatever a file does to its
decoder is gone with that process, and the next errand starts from the same clean state.

The keeper adopts every process that loses its parent below it (it is their "subreaper"), so nothing that a
decoder starts can get away from it, neither in a new group nor in a new session. It ends them all when the
decoder ends, when it is told to stop, and when the worker's end of its socket closes, which it does with the
worker. (A signal at the parent's death would come with the death of the thread that started the keeper.)

Forks of one keeper share the layout of their memory: a reason to replace it from time to time.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from functions.sandbox_child import Errand, work
from functions.sandbox_confine import readable_paths, what_is_missing
from functions.secrecy import hide_from_own_user

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SIGNALLED = 128  # added to the number of the signal that ended the decoder, as shells do
LONGEST_ORDER = 65536


class Stopped(Exception):  # noqa: N818 - an order, not an error
    """The worker has told the keeper to stop, or is gone."""


class Keeper:
    """Serves one errand after the other."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakes)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # what matters is the byte in the pipe
        self._wakes = wakes
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        self._readable = readable_paths()
        self._missing = what_is_missing(self._readable)

    def serve(self) -> None:
        """Ends when it is told to, or when an import started threads: then a fork would not be safe."""
        while True:
            self._wait()
            line, (errand, answer), _, _ = socket.recv_fds(self._control, LONGEST_ORDER, 2)
            import_decoder(json.loads(line)["module"])
            if (threads := len(list(Path("/proc/self/task").iterdir()))) > 1:
                self._report({"threads": threads})
                return
            status = self._fork(errand, answer)
            self._report({"exit": status, "missing": self._missing})

    def _fork(self, errand: int, answer: int) -> int:
        """Runs one decoder to its end, and says how it ended."""
        decoder = os.fork()
        if decoder == 0:
            self._become_decoder(Errand(errand, answer, self._readable))
        os.close(errand)
        os.close(answer)
        try:
            while (ended := os.waitid(os.P_PID, decoder, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
                self._wait_for_end()
        finally:
            end_all(decoder)  # not waited for, its number still names its group
        return ended.si_status + (0 if ended.si_code == os.CLD_EXITED else SIGNALLED)

    def _become_decoder(self, errand: Errand) -> NoReturn:
        """What the fork does instead of serving; whatever happens in it, it never comes back."""
        try:
            os.setpgid(0, 0)
            end_with(os.getppid())
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._control.close()
            os.close(self._woken)
            os.close(self._wakes)
            work(errand)
        finally:
            os._exit(1)

    def _wait(self) -> None:
        """Returns when an order has come; raises `Stopped` when none will."""
        while True:
            for descriptor, event in self._poll.poll():
                if descriptor == self._woken:
                    self._hear()
                elif event & select.POLLIN and self._control.recv(1, socket.MSG_PEEK):
                    return
                else:
                    raise Stopped

    def _wait_for_end(self) -> None:
        """Returns when a child has ended; meanwhile the worker says nothing, unless it is gone."""
        for descriptor, _ in self._poll.poll():
            if descriptor != self._woken:
                raise Stopped
            self._hear()

    def _hear(self) -> None:
        if signal.SIGTERM in os.read(self._woken, 4096):
            raise Stopped

    def _report(self, report: dict[str, object]) -> None:
        with suppress(OSError):  # the worker is gone, which the next wait tells
            self._control.send(json.dumps(report).encode("ascii"))


def main() -> None:
    hide_from_own_user()
    control = socket.socket(fileno=os.dup(0))
    os.dup2(1, 0)  # the null device
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with suppress(Stopped):
        Keeper(control).serve()


def import_decoder(module: str | None) -> None:
    """Has the decoder's code ready for the fork; where that fails, the fork fails too and says why."""
    for name in ("handlers.media.refused", module):
        with suppress(Exception, SystemExit):
            if name:
                importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is there by now is not worth looking at, which would copy it, in any fork


def end_with(parent: int) -> None:
    """Has the kernel kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before it could be watched


def end_all(group: int) -> None:
    """Kills a group and then all children, until none is left: orphans of one round are children in the next."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(group, 0)
        while True:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
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
