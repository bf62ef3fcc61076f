"""Time as the tick sees it: read and waited for through one object, so that tests can pass it in."""

from __future__ import annotations

import queue
import time
from typing import Protocol, TypeVar

Item = TypeVar("Item")

_LONGEST_WAIT = 0.2  # a stop signal is noticed after this many seconds at the latest


class Clock(Protocol):
    """Monotonic seconds, and waiting for what other threads hand in."""

    def now(self) -> float: ...

    def wait(self, inbox: queue.SimpleQueue[Item], seconds: float) -> Item | None:
        """The next item, or None after at most `seconds`; it may return earlier with None."""
        ...


class SystemClock:
    """The real time of this machine."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, inbox: queue.SimpleQueue[Item], seconds: float) -> Item | None:
        try:
            return inbox.get(timeout=min(max(seconds, 0.0), _LONGEST_WAIT))
        except queue.Empty:
            return None
