"""What many readers ask at the same time is asked of the database once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from functions.errors import QueueUnavailable

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_SHORTEST_SECONDS = 2.0
_TIMES_ITS_COST = 20  # so that readers, however many, take at most a twentieth of one connection
_PATIENCE_SECONDS = 8.0
_MOST_KEPT = 100  # beyond it, what is no longer fresh goes


@dataclass(frozen=True)
class _Kept(Generic[Value]):
    value: Value
    until: float


class Shared(Generic[Key, Value]):
    """Answers from what was loaded last, for as long as that is fresh; one thread loads, the others wait for it.

    Fresh is what is younger than `shortest` seconds, or than 20 times the time that loading it took. An error
    reaches those who waited for it and is not kept.
    """

    def __init__(
        self,
        load: Callable[[Key], Value],
        *,
        now: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE_SECONDS,
        shortest: float = _SHORTEST_SECONDS,
    ) -> None:
        self._load = load
        self._shortest = shortest
        self._now = now
        self._patience = patience
        self._lock = threading.Lock()
        self._kept: dict[Key, _Kept[Value]] = {}
        self._flights: dict[Key, Future[Value]] = {}

    def get(self, key: Key) -> Value:
        """Raises what loading raises, and `QueueUnavailable` after 8 s of waiting for another's load."""
        with self._lock:
            kept = self._kept.get(key)
            if kept and self._now() < kept.until:
                return kept.value
            flight = self._flights.get(key)
            is_mine = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if is_mine:
            self._fly(key, flight)
        try:
            return flight.result(self._patience)
        except TimeoutError:
            if flight.done():  # it is the load's own
                raise
            raise QueueUnavailable(
                f"the database has not answered for {self._patience:g} s; try again in a moment"
            ) from None

    def forget(self) -> None:
        """After a change: the next reader is to see it, so what is under way counts for its own readers alone."""
        with self._lock:
            self._kept.clear()
            self._flights.clear()

    def _fly(self, key: Key, flight: Future[Value]) -> None:
        started = self._now()
        try:
            value = self._load(key)
        except BaseException as error:
            with self._lock:
                self._land(key, flight)
            flight.set_exception(error)
            return
        ended = self._now()
        lifetime = max(self._shortest, _TIMES_ITS_COST * (ended - started))
        with self._lock:
            if self._land(key, flight):
                if len(self._kept) >= _MOST_KEPT:
                    self._kept = {key: one for key, one in self._kept.items() if ended < one.until}
                self._kept[key] = _Kept(value, ended + lifetime)
        flight.set_result(value)

    def _land(self, key: Key, flight: Future[Value]) -> bool:
        """Whether it was still the one that new readers join."""
        if self._flights.get(key) is not flight:
            return False
        del self._flights[key]
        return True
