"""Random input for a function, for some seconds: `--fuzz-seconds 600` looks longer.

Rounds have a seed each. A failure names its seed: `--fuzz-seed N` plays that round alone, and looks for a
smaller input that fails, too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

ROUND = settings(
    max_examples=50,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


def fuzz(config: pytest.Config, inputs: SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Calls `check` with inputs until the time is over; what it raises is the finding."""
    chosen = config.getoption("--fuzz-seed")
    end = time.monotonic() + config.getoption("--fuzz-seconds")
    while True:
        number = random.randrange(10**9) if chosen is None else chosen
        phases = (Phase.generate,) if chosen is None else (Phase.generate, Phase.shrink)
        try:
            seed(number)(settings(ROUND, phases=phases)(given(inputs)(check)))()
        except BaseException as error:
            error.add_note(f"to run this round again: --fuzz-seed {number}")
            raise
        if chosen is not None or time.monotonic() > end:
            return
