"""Reads what a sandboxed child answered: its line of JSON, the files in its folder, its exit status.

The answer is as untrusted as the file that was decoded: sizes are capped, links are not followed, and
strings are freed of what the database would refuse.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import stat
from pathlib import Path
from typing import Any

from functions.redact import storable
from functions.sandbox_keeper import SIGNALLED
from handlers.contract import Reject

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MAX_FILES = 100
MAX_GROUPS = 100_000  # objects and arrays of an answer; the longest subtitles and Word documents have 40,000
MAX_PARTS = 1_500_000  # its strings and commas; a text of nothing but one-letter paragraphs has 1.3 million
_PARTS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,]', re.DOTALL)  # strings, so as not to look into them

MEMORY = "it exceeds the memory limit"
TIME = "it exceeds the time limit"
OUTPUT = "it exceeds the output limit"
CRASH = "its decoder crashed"


class SandboxKilled(Exception):  # noqa: N818 - says what happened to the child
    """The child was killed or died without a usable answer; a second one is tried."""

    def __init__(self, reason: str, *, at_own_limit: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at_own_limit = at_own_limit  # False: the job's time ran out before the child's own limit


class DecoderFailed(Exception):  # noqa: N818 - as above
    """The decoder raised an unexpected exception; its traceback is for the log, not for the file's owner."""


def read_facts(answer: bytes) -> dict[str, Any]:
    """Opens the answer, or raises what its status stands for."""
    _check_amount(answer)
    try:
        message = storable(json.loads(answer, parse_constant=_no_number, parse_float=_finite))
        status = message["status"]
        facts = message.get("facts")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SandboxKilled(CRASH) from None
    if status == "refused":
        raise Reject(str(message.get("reason")))
    if status == "memory":
        raise SandboxKilled(MEMORY)
    if status != "ok" or not isinstance(facts, dict):
        raise DecoderFailed(str(message.get("reason")))
    return facts


def _check_amount(answer: bytes) -> None:
    """Counts what the answer consists of before it is built: `[],` takes 3 bytes, and then a hundred."""
    if (
        sum(map(answer.count, (b"[", b"{"))) <= MAX_GROUPS
        and sum(map(answer.count, (b'"', b","))) <= MAX_PARTS
    ):
        return  # even if none of these stood in a string
    groups = parts = 0
    for found in _PARTS.finditer(answer):
        if answer[found.start()] in b"[{":
            groups += 1
        else:
            parts += 1
        if groups > MAX_GROUPS or parts > MAX_PARTS:
            raise SandboxKilled(OUTPUT)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def read_exit(code: int) -> SandboxKilled:
    """What a child that ended without an answer died of, told by its exit status or the decoder's."""
    number = -code if code < 0 else code - SIGNALLED
    reasons: dict[int, str] = {signal.SIGXCPU: TIME, signal.SIGXFSZ: OUTPUT, signal.SIGKILL: MEMORY}
    return SandboxKilled(reasons.get(number, CRASH))


def read_files(folder: Path, max_bytes: int) -> dict[str, bytes]:
    """Reads back what the decoder wrote: plain files with plain names, all together within the cap.

    What a name stands for is asked of the opened file: no link is followed, no pipe waited for.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        raise SandboxKilled(CRASH) from None  # its folder is gone, or something else in its place
    try:
        return _read_opened(opened, max_bytes)
    finally:
        os.close(opened)


def _read_opened(folder: int, max_bytes: int) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = max_bytes
    for name in sorted(entry.name for entry in os.scandir(folder)):
        data = _read_plain(folder, name, left + 1) if FILE_NAME.fullmatch(name) else None
        if data is None:
            continue
        files[name] = data
        left -= len(data)
        if left < 0 or len(files) > MAX_FILES:
            raise SandboxKilled(OUTPUT)
    return files


def _read_plain(folder: int, name: str, most: int) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None  # a link, or a file that its own mode forbids to read
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)
