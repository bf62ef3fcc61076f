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

    def wait(self, inbox: queue.SimpleQueue[Item], seconds: float) -> list[Item]:
        """All that was handed in; nothing after at most `seconds`, it may return earlier with nothing."""
        ...


class SystemClock:
    """The real time of this machine."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, inbox: queue.SimpleQueue[Item], seconds: float) -> list[Item]:
        try:
            first = inbox.get(timeout=min(max(seconds, 0.0), _LONGEST_WAIT))
        except queue.Empty:
            return []
        return [first, *taken(inbox)]


def taken(inbox: queue.SimpleQueue[Item]) -> list[Item]:
    """What is in the inbox now."""
    return [inbox.get() for _ in range(inbox.qsize())]  # one reader, so nobody else takes them
