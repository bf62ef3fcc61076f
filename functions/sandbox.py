"""Runs a decoder on untrusted bytes in a child process that may die: between a handler and handlers/media.

A handler says `context.decode("handlers.media.image:thumbnails", path)`; the runner brings it here. The
child gets limits on memory, processor time, files and processes, an empty environment (no key to steal), a
private folder that is removed afterwards, and it dies with this process, as does all that it started (see
`sandbox_child.py`). What it answers is as untrusted as the file: the answer's size is capped, its files are
read back without following links.

    Reject          the decoder refused the file, or the file killed two children
    Retry           the job's time ran out before the file had a fair try
    DecoderFailed   the decoder raised what it should not: a bug or a broken installation, so a retry too
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.private_folder import private_folder
from functions.sandbox_answer import CRASH, OUTPUT, TIME, SandboxKilled, read_exit, read_facts, read_files
from handlers.contract import Decoded, Outcome, Reject, Retry, Snooze

logger = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("sandbox_child.py")
MEGABYTE = 1024 * 1024
EXIT_SECONDS = 1.0  # from the end of the answer to the end of the child
STOP_SECONDS = 5.0  # for the child to end all that it started
LEAST_SECONDS = 1.0  # a second child is not started with less than this


@dataclass(frozen=True)
class _Run:
    """One child's errand."""

    request: dict[str, Any]
    deadline: float
    at_own_limit: bool


class Sandbox:
    """Decodes files in child processes; may be used from several threads at once."""

    def __init__(
        self,
        *,
        allowed_prefixes: Sequence[str] = ("handlers.media.",),
        extra_path: Sequence[Path] = (),
        child_seconds: float = 30.0,
        max_result_bytes: int = 16 * MEGABYTE,
        max_file_bytes: int = 32 * MEGABYTE,
    ) -> None:
        self._allowed_prefixes = tuple(allowed_prefixes)
        self._path = [*_import_path(), *(str(path) for path in extra_path)]
        self._child_seconds = child_seconds
        self._max_result_bytes = max_result_bytes
        self._max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(
        self,
        decoder: str,
        source: Path,
        *,
        timeout: float,
        memory_mb: int = 1024,
        seconds: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Decoded:
        """Decodes `source` within `timeout` seconds, all children together, each within `seconds`.

        A file that kills its child gets a second, fresh one (the machine may have been the reason) and is
        then rejected. If the job's time ran out before any child had its full time, nothing is proved
        against the file, so the job is tried again.
        """
        deadline = time.monotonic() + timeout
        request = self._request(decoder, source, memory_mb, options)
        killed: list[SandboxKilled] = []
        while len(killed) < 2:
            left = deadline - time.monotonic()
            if killed and left < LEAST_SECONDS:
                break
            allowed = seconds or self._child_seconds
            given = min(allowed, left)
            try:
                return self._run_child(_Run(request, time.monotonic() + given, given >= allowed))
            except SandboxKilled as error:
                logger.warning("decoder_killed", extra={"decoder": decoder, "reason": error.reason})
                killed.append(error)
        raise _verdict(killed)

    def close(self) -> None:
        """Kills what runs; jobs that wait for it are told to come back later, without a charge."""
        with self._lock:
            self._closed = True
            children = list(self._children)
        for child in children:
            child.terminate()

    def _request(
        self, decoder: str, source: Path, memory_mb: int, options: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        self._check(decoder)
        return {
            "decoder": decoder,
            "source": str(source.absolute()),
            "options": dict(options or {}),
            "memory_mb": memory_mb,
            "file_bytes": self._max_file_bytes,
            "path": self._path,
        }

    def _check(self, decoder: str) -> None:
        module, separator, function = decoder.partition(":")
        allowed = any(module.startswith(prefix) for prefix in self._allowed_prefixes)
        if not (allowed and separator and function.isidentifier() and not function.startswith("_")):
            message = f"decoder {decoder!r}: expected 'module:function' with a module in "
            raise ValueError(message + ", ".join(self._allowed_prefixes))

    def _run_child(self, run: _Run) -> Decoded:
        with private_folder() as private:
            folder = private / "out"
            folder.mkdir()
            seconds = max(run.deadline - time.monotonic(), 0.0)
            cpu_seconds = math.ceil(seconds * max(os.cpu_count() or 1, 1))
            request = {**run.request, "folder": str(folder), "parent": os.getpid()}
            line = json.dumps({**request, "cpu_seconds": cpu_seconds}).encode("ascii") + b"\n"
            child = self._start(private)
            try:
                answer = self._ask(child, line, run)
            finally:
                _stop(child)  # and what the decoder left behind, before its files are read
                self._forget(child)
            facts = read_facts(answer)
            return Decoded(facts=facts, files=read_files(folder, self._max_file_bytes))

    def _start(self, private: Path) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise Snooze("the worker is stopping", seconds=1)
            child = subprocess.Popen(
                [sys.executable, "-I", str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=private,
                env=_environment(private),
                start_new_session=True,
            )
            self._children.add(child)
            return child

    def _forget(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._children.discard(child)
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # the child died before it read its request

    def _ask(self, child: subprocess.Popen[bytes], line: bytes, run: _Run) -> bytes:
        """Sends the request and waits for one line; raises `SandboxKilled` if there is none."""
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(line)
            child.stdin.flush()
        except BrokenPipeError:
            raise SandboxKilled(CRASH) from None
        answer = bytearray()
        poll = select.poll()
        poll.register(child.stdout, select.POLLIN)
        while not answer.endswith(b"\n"):
            left = run.deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise SandboxKilled(TIME, at_own_limit=run.at_own_limit)
            chunk = os.read(child.stdout.fileno(), 65536)
            if not chunk:
                raise self._death(child)
            answer += chunk
            if len(answer) > self._max_result_bytes:
                raise SandboxKilled(OUTPUT)
        return bytes(answer)

    def _death(self, child: subprocess.Popen[bytes]) -> Exception:
        """Why the child ended without an answer, told by its exit status."""
        if self._closed:
            return Snooze("the worker is stopping", seconds=1)
        try:
            return read_exit(child.wait(EXIT_SECONDS))
        except subprocess.TimeoutExpired:
            return SandboxKilled(CRASH)


def _verdict(killed: list[SandboxKilled]) -> Outcome:
    guilty = [error for error in killed if error.at_own_limit]
    if guilty:
        return Reject(f"this file could not be decoded safely: {guilty[-1].reason}")
    return Retry("there was not enough time left to decode this file")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Has the child end all that it started, and itself; kills it if it does not."""
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _environment(private: Path) -> dict[str, str]:
    """All that the libraries need; nothing of the worker's own environment."""
    threads = str(min(os.cpu_count() or 1, 4))
    return {
        "HOME": str(private),
        "TMPDIR": str(private),
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        "VIPS_BLOCK_UNTRUSTED": "1",
        "VIPS_CONCURRENCY": threads,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": "1",
    }


def _import_path() -> list[str]:
    """Where this process finds its modules, in the same order; the child starts without this knowledge."""
    package = importlib.util.find_spec("handlers")
    assert package is not None
    assert package.origin is not None
    found = [str(Path(entry or ".").absolute()) for entry in sys.path]
    return list(dict.fromkeys((*found, str(Path(package.origin).parent.parent))))
