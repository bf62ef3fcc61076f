"""The same tick in a loop, for people who have a machine: `crontick run` instead of cron and HTTP."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from functions import log
from functions.clock import Item, SystemClock
from functions.errors import QueueUnavailable
from functions.tick_report import TickReport

# Nobody waits for an answer here, so only the handlers' own timeouts count.
POLLER_BUDGET_SECONDS = 3600.0
_LONGEST_PAUSE_SECONDS = 60.0
_SLICE_SECONDS = 0.2


def poll_forever(
    tick: Callable[[], TickReport],
    *,
    interval_ms: int,
    stop: threading.Event,
    sleep: Callable[[float], None] = time.sleep,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Runs ticks until `stop` is set, pausing when one found nothing, longer while the database is down.

    `alive` is called every moment of a pause.
    """
    interval = pause = interval_ms / 1000
    while not stop.is_set():
        try:
            found = tick().processed > 0
            pause = interval
        except QueueUnavailable as error:
            log.warning("queue_unavailable", error=error, next_try_in=pause)
            found = False
            pause = min(pause * 2, max(_LONGEST_PAUSE_SECONDS, interval))
        if not found:
            _pause(pause, stop, sleep, alive)


class PollersClock(SystemClock):
    """Says that the tick is alive whenever it waits, which it does at least five times a second."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive

    def wait(self, inbox: queue.SimpleQueue[Item], seconds: float) -> list[Item]:
        self._alive()
        return super().wait(inbox, seconds)


def _pause(
    seconds: float, stop: threading.Event, sleep: Callable[[float], None], alive: Callable[[], None]
) -> None:
    """In slices, asking the event and never waiting for it: a signal handler may set it at any moment."""
    while seconds > 0 and not stop.is_set():
        alive()
        sleep(min(seconds, _SLICE_SECONDS))
        seconds -= _SLICE_SECONDS
