"""Does the same to several things at the same time, in threads that nobody has to wait for.

Threads of the standard pools are joined when the process ends; a request that hangs would hold it up.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class AtOnce:
    """What was begun goes on after `stop`, and its results still come; what was not begun never does."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def run(
        self, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result | BaseException]]:
        """Each item's index with its result, or with what it raised, in the order in which they end."""
        waiting: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
        results: queue.SimpleQueue[tuple[int, Result | BaseException] | None] = queue.SimpleQueue()
        for numbered in enumerate(items):
            waiting.put(numbered)

        def work_off() -> None:
            while not self._stopped.is_set():
                try:
                    index, item = waiting.get_nowait()
                except queue.Empty:
                    break
                try:
                    results.put((index, work(item)))
                except BaseException as error:  # it belongs to whoever waits for the result
                    results.put((index, error))
            results.put(None)

        threads = min(self._threads, len(items))
        for number in range(threads):
            threading.Thread(target=work_off, daemon=True, name=f"crontick-ai-{number}").start()
        ended = 0
        while ended < threads:
            result = results.get()
            if result is None:
                ended += 1
            else:
                yield result
