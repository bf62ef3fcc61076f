"""How long a tick may take: its budget, what SIGTERM leaves of it, and the last calls of the queue after it."""

from __future__ import annotations

import threading

from functions.clock import Clock
from functions.repetition import TimeLeft

_CALL_SECONDS = 20.0  # how long one call of the queue may take, with its repetitions
_SHORTEST_CALL_SECONDS = 1.0  # below this a call would be in vain
_LAST_CALLS_SECONDS = 5.0  # for resolving; the tick's caller waits 10 s longer than the budget
_LAST_CALLS_STOPPING_SECONDS = 1.5  # Cloud Run kills 2 s after what SIGTERM left


class TickTime:
    """The time of one tick. `ends` is when handlers have to be done; it moves closer on a stop."""

    def __init__(
        self,
        clock: Clock,
        stop: threading.Event,
        budget: float,
        *,
        shutdown_seconds: float,
        lease_seconds: float,
    ) -> None:
        self._clock = clock
        self._stop = stop
        self._shutdown_seconds = shutdown_seconds
        self._longest_call = min(_CALL_SECONDS, lease_seconds / 3)  # so that heartbeats are not late
        self.budget = budget
        self.began = clock.now()
        self.ends = self.began + budget
        self.stopping = False

    def notice_stop(self) -> bool:
        """Whether this worker was told to stop."""
        if self._stop.is_set() and not self.stopping:
            self.stopping = True
            self.ends = min(self.ends, self._clock.now() + self._shutdown_seconds)
        return self.stopping

    def is_over(self, *, after: float = 0.0) -> bool:
        """Whether it is too late for another call of the queue, or will be in so many seconds."""
        return self._clock.now() + after >= self._last_moment()

    def for_one_call(self) -> TimeLeft:
        """For one call of the queue: not beyond the tick, which may get shorter meanwhile."""
        now = self._clock.now()
        longest, shortest = now + self._longest_call, now + _SHORTEST_CALL_SECONDS
        return lambda: min(longest, max(shortest, self._last_moment())) - self._clock.now()

    def _last_moment(self) -> float:
        return self.ends + (_LAST_CALLS_STOPPING_SECONDS if self.notice_stop() else _LAST_CALLS_SECONDS)
