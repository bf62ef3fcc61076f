"""What a rival's process does on the command of race.py; run by the rivals' own Python."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop


def main(
    prepare: Callable[[dict[str, Any]], Coroutine[Any, Any, None]],
    run: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, float]]],
) -> None:
    """Reads the options from the first line of stdin, and fills the queue or empties it."""
    options = json.loads(sys.stdin.readline())
    start = uvloop.run if options["uvloop"] else asyncio.run
    if options["action"] == "prepare":
        start(prepare(options))
    else:
        print(json.dumps(start(run(options))), flush=True)
