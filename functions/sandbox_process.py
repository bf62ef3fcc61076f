"""One keeper (see `sandbox_keeper.py`) as the worker sees it: errands go in, untrusted answers come out.

Each errand has descriptors of its own, which die with its decoder: so no decoder can answer for another one,
nor hold up the next. The keeper's own words come by its socket, which decoders do not have.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.sandbox_answer import CRASH, OUTPUT, TIME, SandboxKilled, read_exit
from functions.sandbox_space import takes_too_much

EXIT_SECONDS = 1.0  # from the end of the answer to the end of the decoder
STOP_SECONDS = 5.0  # for the keeper to end all that its decoder started
LOOK_SECONDS = 0.05  # between two looks at what the decoder has written
LONGEST_REPORT = 4096
MEGABYTE = 1024 * 1024
BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from functions.sandbox_keeper import main; main()"
)


@dataclass(frozen=True)
class Run:
    """One try at one errand."""

    request: dict[str, Any]
    module: str | None  # to import in the keeper, where that is safe
    deadline: float
    at_own_limit: bool
    most_bytes: int
    private: Path  # where alone the decoder writes
    most_written: int  # bytes, all its files together


class ThreadsStarted(Exception):  # noqa: N818 - says what happened
    """Importing the decoder started threads: it has to be imported in the fork, and this keeper is gone."""


class KeeperProcess:
    """Used by one thread at a time; only `hang_up` may be called from others."""

    def __init__(self, path: Sequence[str]) -> None:
        self.errands = 0
        self.is_in_doubt = False
        self.modules: set[str] = set()
        self.missing: tuple[str, ...] = ()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", BOOT, json.dumps(list(path))],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return not isinstance(self._process.poll(), int)

    def run(self, run: Run) -> bytes:
        """One line of answer; raises `SandboxKilled` if there is none. Then, or `is_in_doubt`: stop it."""
        self.errands += 1
        answer, theirs = os.pipe()
        try:
            try:
                self._send(run, theirs)
            finally:
                os.close(theirs)
            line = self._read_answer(answer, run)
        finally:
            os.close(answer)
        if self._read_report() != {"exit": 0}:
            self.is_in_doubt = True
        elif run.module:
            self.modules.add(run.module)
        return line

    def hang_up(self) -> None:
        """Has the keeper end everything, without waiting for it."""
        try:
            self._control.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has been done

    def stop(self) -> None:
        """Has it end all that it started, and itself; kills it if it does not. Again does nothing more."""
        self._control.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, run: Run, answer: int) -> None:
        request = os.memfd_create("errand")
        try:
            with open(request, "wb", closefd=False) as file:
                file.write(json.dumps(run.request).encode("ascii"))
            os.lseek(request, 0, os.SEEK_SET)
            order = json.dumps({"module": run.module}).encode("ascii")
            socket.send_fds(self._control, [order], [request, answer])
        except OSError:
            raise self._death() from None
        finally:
            os.close(request)

    def _read_answer(self, pipe: int, run: Run) -> bytes:
        answer = bytearray()
        next_look = time.monotonic() + LOOK_SECONDS
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while not answer.endswith(b"\n"):
            now = time.monotonic()
            if now >= run.deadline:
                raise SandboxKilled(TIME, at_own_limit=run.at_own_limit)
            if now >= next_look:
                if takes_too_much(run.private, run.most_written):
                    raise SandboxKilled(OUTPUT)
                next_look = time.monotonic() + LOOK_SECONDS
            if not poll.poll(max(min(run.deadline, next_look) - now, 0) * 1000):
                continue
            chunk = os.read(pipe, 65536)
            if not chunk:
                raise self._death()
            answer += chunk
            if len(answer) > run.most_bytes:
                raise SandboxKilled(OUTPUT)
        return bytes(answer)

    def _death(self) -> Exception:
        """Why there is no answer: how the decoder ended, as the keeper tells it, or how the keeper did."""
        report = self._read_report()
        if "threads" in report:
            return ThreadsStarted()
        if "exit" in report:
            return read_exit(report["exit"])
        try:
            return read_exit(self._process.wait(EXIT_SECONDS))
        except subprocess.TimeoutExpired:
            return SandboxKilled(CRASH)

    def _read_report(self) -> dict[str, Any]:
        """What the keeper says at the end of an errand; nothing if it is silent or gone."""
        try:
            self._control.settimeout(EXIT_SECONDS)
            report: dict[str, Any] = json.loads(self._control.recv(LONGEST_REPORT) or b"{}")
        except OSError:
            return {}
        self.missing = tuple(report.pop("missing", ()))
        return report


def import_path(extra: Sequence[Path] = ()) -> list[str]:
    """Where this process finds its modules, in the same order; a keeper starts without this knowledge."""
    specs = [importlib.util.find_spec(name) for name in ("functions", "handlers")]
    ours = [Path(spec.origin).parent.parent for spec in specs if spec and spec.origin]
    found = [Path(entry or ".").absolute() for entry in sys.path]
    return list(dict.fromkeys(map(str, (*found, *ours, *extra))))


def _environment() -> dict[str, str]:
    """All that the libraries need; nothing of the worker's own environment.

    A decoder is gone after one file, so it need not give memory back meanwhile, only to be given it again:
    that took 8 % of a photo's thumbnails. Blocks above 32 MB are given back, which keeps the peak where it was.
    """
    threads = str(min(os.cpu_count() or 1, 4))
    return {
        "LANG": "C.UTF-8",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # fewer, larger pages: a quarter less time in the kernel
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_MMAP_THRESHOLD_": str(32 * MEGABYTE),
        "MALLOC_TRIM_THRESHOLD_": str(1024 * MEGABYTE),
        "MALLOC_TOP_PAD_": str(2 * MEGABYTE),
        "VIPS_BLOCK_UNTRUSTED": "1",
        "VIPS_CONCURRENCY": "1",  # files beside each other use the cores; more threads each cost an eighth
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": "1",
    }
