"""Reads what a sandboxed child answered: its line of JSON and the files in its folder.

The answer is as untrusted as the file that was decoded: sizes are capped, links are not followed, and
strings are freed of what the database would refuse.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from handlers.contract import Reject

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MAX_FILES = 100

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
    try:
        message = json.loads(answer)
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
    return {key: _storable(value) for key, value in facts.items()}


def _storable(value: Any) -> Any:
    """Removes what jsonb refuses from all strings: NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def read_files(folder: Path, max_bytes: int) -> dict[str, bytes]:
    """Reads back what the decoder wrote: plain files with plain names, all together within the cap."""
    files: dict[str, bytes] = {}
    left = max_bytes
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not (FILE_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)):
            continue
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            files[entry.name] = file.read(left + 1)
        left -= len(files[entry.name])
        if left < 0 or len(files) > MAX_FILES:
            raise SandboxKilled(OUTPUT)
    return files
