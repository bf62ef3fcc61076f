"""Runs a decoder on untrusted bytes in a child process that may die: between a handler and handlers/media.

A handler says `context.decode("handlers.media.image:thumbnails", path)`; the runner brings it here. Every
errand has a process of its own, forked from one that is kept warm (`sandbox_pool.py`, `sandbox_keeper.py`).
It gets limits on memory, processor time, files and processes, no way to the network and to other files where
the kernel helps (`sandbox_confine.py`), an empty environment (no key to steal) and a private folder that is
removed afterwards, and it dies with this process, as does all that it started. What it answers is as
untrusted as the file: the answer's size is capped, its files are read back without following links.

    Reject          the decoder refused the file, or the file killed two children
    Retry           the job's time ran out before the file had a fair try
    DecoderFailed   the decoder raised what it should not: a bug or a broken installation, so a retry too
"""

from __future__ import annotations

import logging
import math
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from functions.private_folder import private_folder
from functions.sandbox_answer import DecoderFailed, SandboxKilled, read_facts, read_files
from functions.sandbox_pool import KeeperPool
from functions.sandbox_process import KeeperProcess, Run, ThreadsStarted, import_path
from handlers.contract import Decoded, Outcome, Reject, Retry, Snooze

logger = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
SPARE_BYTES = MEGABYTE  # for folders, and for what rounding to whole blocks adds
LEAST_SECONDS = 1.0  # a second child is not started with less than this
WAITING = 0.5  # the share of the time left that may be spent on waiting: the rest is for decoding
STARTS_PROGRAMS = ("handlers.media.tesseract:",)  # no other decoder needs more than libraries


class Sandbox:
    """Decodes files in child processes; may be used from several threads at once."""

    def __init__(
        self,
        *,
        allowed_prefixes: Sequence[str] = ("handlers.media.",),
        starts_programs: Sequence[str] = STARTS_PROGRAMS,
        extra_path: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        child_seconds: float = 30.0,
        max_result_bytes: int = 16 * MEGABYTE,
        max_file_bytes: int = 32 * MEGABYTE,
    ) -> None:
        """Names are prefixes of decoders; `writable` are folders besides their own, for decoders in tests."""
        self._allowed_prefixes = tuple(allowed_prefixes)
        self._starts_programs = tuple(starts_programs)
        self._writable = [str(folder) for folder in writable]
        self._child_seconds = child_seconds
        self._max_result_bytes = max_result_bytes
        self._max_file_bytes = max_file_bytes
        self._threaded: set[str] = set()  # modules that start threads on import, so are not kept warm
        self._pool = KeeperPool(import_path(extra_path))
        weakref.finalize(self, self._pool.close)

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
        ends = time.monotonic() + timeout
        request = self._request(decoder, source, memory_mb, options)
        killed: list[SandboxKilled] = []
        while len(killed) < 2:
            if killed and ends - time.monotonic() < LEAST_SECONDS:
                break
            try:
                return self._try(request, ends, seconds or self._child_seconds)
            except ThreadsStarted:
                self._threaded.add(_module(decoder))
            except SandboxKilled as error:
                logger.warning("decoder_killed", extra={"decoder": decoder, "reason": error.reason})
                killed.append(error)
        raise _verdict(killed)

    def close(self) -> None:
        """Kills what runs; jobs that wait for it are told to come back later, without a charge."""
        self._pool.close()

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
            "starts_programs": decoder.startswith(self._starts_programs),
            "writable": self._writable,
        }

    def _check(self, decoder: str) -> None:
        module, separator, function = decoder.partition(":")
        allowed = any(module.startswith(prefix) for prefix in self._allowed_prefixes)
        if not (allowed and separator and function.isidentifier() and not function.startswith("_")):
            message = f"decoder {decoder!r}: expected 'module:function' with a module in "
            raise ValueError(message + ", ".join(self._allowed_prefixes))

    def _try(self, request: dict[str, Any], ends: float, seconds: float) -> Decoded:
        """One child, which has so many seconds, or those until the job ends."""
        with private_folder() as private:
            folder = private / "out"
            folder.mkdir()
            places = {"private": str(private), "folder": str(folder)}
            waits = (ends - time.monotonic()) * WAITING
            keeper = self._pool.take(_module(request["decoder"]), within=waits)
            try:
                facts = self._ask(keeper, request | places, ends, seconds)
            except SandboxKilled:
                if self._pool.is_closed:
                    raise Snooze("the worker is stopping", seconds=1) from None
                raise
            finally:
                self._pool.give_back(keeper)  # which ends what is in doubt, before its files are read
            return Decoded(facts=facts, files=read_files(folder, self._max_file_bytes))

    def _ask(
        self, keeper: KeeperProcess, request: dict[str, Any], ends: float, seconds: float
    ) -> dict[str, Any]:
        left = max(ends - time.monotonic(), 0.0)
        given = min(seconds, left)
        module = _module(request["decoder"])
        run = Run(
            request=request | {"cpu_seconds": math.ceil(given * max(os.cpu_count() or 1, 1))},
            module=None if module in self._threaded else module,
            deadline=time.monotonic() + given,
            at_own_limit=given >= seconds,
            most_bytes=self._max_result_bytes,
            private=Path(request["private"]),
            most_written=self._max_file_bytes + SPARE_BYTES,
        )
        try:
            return read_facts(keeper.run(run))
        except (Reject, DecoderFailed):
            raise
        except BaseException:
            keeper.is_in_doubt = True
            raise


def _module(decoder: str) -> str:
    return decoder.partition(":")[0]


def _verdict(killed: list[SandboxKilled]) -> Outcome:
    guilty = [error for error in killed if error.at_own_limit]
    if guilty:
        return Reject(f"this file could not be decoded safely: {guilty[-1].reason}")
    return Retry("there was not enough time left to decode this file")
